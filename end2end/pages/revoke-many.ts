import { expect, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** The question before several keys are revoked, and what became of each. */
export class RevokeManyDialog {
  constructor(private readonly tab: Tab) {}

  get dialog(): Locator {
    return this.tab.page.getByRole('alertdialog');
  }

  /** The question about so many keys. */
  async isAsked(count: number): Promise<void> {
    await expect(this.tab.page.getByRole('alertdialog', { name: `Revoke ${count} keys?` })).toBeVisible();
    await this.tab.ready();
  }

  /** A line of the question or of the result. */
  row(name: string): Locator {
    return this.dialog.getByRole('row').filter({ has: this.tab.page.getByRole('rowheader', { name }) });
  }

  get number(): Locator {
    return this.dialog.getByLabel('Number of keys');
  }

  async confirm(): Promise<void> {
    await this.dialog.getByRole('button', { name: /^Revoke/ }).click();
  }

  /** The result, by its heading. */
  async ended(heading: string): Promise<void> {
    await expect(this.tab.page.getByRole('alertdialog', { name: heading, exact: true })).toBeVisible();
  }

  async cancel(): Promise<void> {
    await this.leave('Cancel');
  }

  async close(): Promise<void> {
    await this.leave('Close');
  }

  /** By the word at the foot: the cross in the corner has the same name. */
  private async leave(word: string): Promise<void> {
    await this.dialog.getByRole('link', { name: word, exact: true }).last().click();
    await expect(this.dialog).toBeHidden();
    await this.tab.ready();
  }
}

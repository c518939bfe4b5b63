import { expect, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** The question before a key is revoked. */
export class RevokeDialog {
  constructor(
    private readonly tab: Tab,
    readonly name: string,
  ) {}

  get dialog(): Locator {
    return this.tab.page.getByRole('alertdialog', { name: `Revoke ${this.name}?` });
  }

  async confirm(): Promise<void> {
    await this.dialog.getByRole('button', { name: 'Revoke' }).click();
    await expect(this.dialog).toBeHidden();
    await this.tab.ready();
  }

  async cancel(): Promise<void> {
    await this.dialog.getByRole('link', { name: 'Cancel' }).click();
    await expect(this.dialog).toBeHidden();
    await this.tab.ready();
  }
}

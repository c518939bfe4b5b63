import { expect, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** The list of keys. */
export class AgentKeysPage {
  constructor(private readonly tab: Tab) {}

  async open(query = ''): Promise<void> {
    await this.tab.visit(`/settings/agent-keys${query}`);
    await expect(this.tab.heading('Agent keys')).toBeVisible();
  }

  get table(): Locator {
    return this.tab.page.getByRole('table', { name: /APM agent keys/ });
  }

  row(name: string): Locator {
    return this.table.getByRole('row').filter({
      has: this.tab.page.getByRole('rowheader').getByRole('link', { name, exact: true }),
    });
  }

  /** The names on this page of the list, from top to bottom. */
  async names(): Promise<string[]> {
    return this.table.getByRole('rowheader').getByRole('link').allInnerTexts();
  }

  get range(): Locator {
    return this.tab.page.getByRole('navigation', { name: 'Pages' });
  }

  get create(): Locator {
    return this.tab.page.getByRole('link', { name: 'Create APM agent key' });
  }

  async search(text: string): Promise<void> {
    const field = this.tab.page.getByRole('searchbox', { name: 'Search keys' });
    await field.fill(text);
    await field.press('Enter');
    await expect(this.tab.page).toHaveURL(new RegExp(`[?&]q=${encodeURIComponent(text)}`));
    await this.tab.ready();
  }

  async sortBy(column: string, direction: 'ascending' | 'descending'): Promise<void> {
    await this.table.getByRole('columnheader', { name: column }).getByRole('link').click();
    await expect(this.table.getByRole('columnheader', { name: column })).toHaveAttribute('aria-sort', direction);
    await this.tab.ready();
  }

  get next(): Locator {
    return this.range.getByRole('link', { name: 'Next' });
  }

  get previous(): Locator {
    return this.range.getByRole('link', { name: 'Previous' });
  }

  /** Turns the page, and waits until the range says so. */
  async turn(link: Locator, range: string): Promise<void> {
    await link.click();
    await expect(this.range).toContainText(range);
    await this.tab.ready();
  }

  /** The box of a row. */
  box(name: string): Locator {
    return this.row(name).getByRole('checkbox', { name: `Select ${name}` });
  }

  /** Ticks all boxes of this page: with a box where there is script, with a link where there is none. */
  async selectAll(): Promise<void> {
    const name = 'Select all on this page';
    if (this.tab.javaScript) await this.table.getByRole('checkbox', { name }).check();
    else await this.tab.page.getByRole('link', { name }).click();
  }

  /** The bar above the table that is there while boxes are ticked. */
  get selection(): Locator {
    return this.tab.page.locator('.selection-bar');
  }

  async revokeSelected(): Promise<void> {
    await this.selection.getByRole('button', { name: /^Revoke/ }).click();
    await this.tab.ready();
  }

  async clearSelection(): Promise<void> {
    await this.selection.getByRole('link', { name: 'Clear' }).click();
    await expect(this.selection).toBeHidden();
    await this.tab.ready();
  }

  async startRevoking(name: string): Promise<void> {
    await this.row(name).getByRole('link', { name: `Revoke ${name}` }).click();
    await this.tab.ready();
  }
}

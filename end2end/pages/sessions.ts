import { expect, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** Where a person is signed in; and for administrators, where everybody else is. */
export class SessionsPage {
  constructor(private readonly tab: Tab) {}

  async open(): Promise<void> {
    await this.tab.visit('/settings/sessions');
    await this.isShown();
  }

  /** From any page, by the menu that has the person's name. */
  async openFromMenu(): Promise<void> {
    await this.tab.userMenu.click();
    await this.tab.page.getByRole('link', { name: 'Your sessions' }).click();
    await this.isShown();
    await this.tab.ready();
  }

  async isShown(): Promise<void> {
    await expect(this.tab.heading('Your sessions')).toBeVisible();
  }

  /** The person's own. */
  get own(): Locator {
    return this.rowsOf('Your sessions');
  }

  /** The one in this browser. */
  get thisOne(): Locator {
    return this.own.filter({ hasText: 'This session' });
  }

  /** Those of somebody else. */
  of(username: string): Locator {
    const name = this.tab.page.getByText(username, { exact: true });
    return this.rowsOf('Sessions of other users').filter({ has: name });
  }

  get outcome(): Locator {
    return this.tab.page.getByRole('status').filter({ hasText: /^\s*(Ended|There was)/ });
  }

  async end(row: Locator): Promise<void> {
    await row.getByRole('button', { name: /^End/ }).click();
    await expect(this.outcome).toContainText('Ended the session.');
    await this.tab.ready();
  }

  async endAllOthers(): Promise<void> {
    await this.tab.page.getByRole('button', { name: 'End all other sessions' }).click();
    await expect(this.outcome).toContainText(/Ended \d+ session/);
    await this.tab.ready();
  }

  private rowsOf(name: string): Locator {
    return this.tab.page
      .getByRole('region', { name })
      .getByRole('row')
      .filter({ has: this.tab.page.getByRole('rowheader') });
  }
}

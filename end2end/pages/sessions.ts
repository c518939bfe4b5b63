import { expect, type Locator } from '@playwright/test';
import type { Site } from './site';

/** Where a person is signed in; and for administrators, where everybody else is. */
export class SessionsPage {
  constructor(private readonly site: Site) {}

  async open(): Promise<void> {
    await this.site.visit('/settings/sessions');
    await this.isShown();
  }

  /** From any page, by the menu that has the person's name. */
  async openFromMenu(): Promise<void> {
    await this.site.userMenu.click();
    await this.site.page.getByRole('link', { name: 'Your sessions' }).click();
    await this.isShown();
    await this.site.ready();
  }

  async isShown(): Promise<void> {
    await expect(this.site.heading('Your sessions')).toBeVisible();
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
    const name = this.site.page.getByText(username, { exact: true });
    return this.rowsOf('Sessions of other people').filter({ has: name });
  }

  get outcome(): Locator {
    return this.site.page.getByRole('status').filter({ hasText: /^\s*(Ended|There was)/ });
  }

  async end(row: Locator): Promise<void> {
    await row.getByRole('button', { name: /^End/ }).click();
    await expect(this.outcome).toContainText('Ended the session.');
    await this.site.ready();
  }

  async endAllOthers(): Promise<void> {
    await this.site.page.getByRole('button', { name: 'End all others' }).click();
    await expect(this.outcome).toContainText(/Ended \d+ session/);
    await this.site.ready();
  }

  private rowsOf(name: string): Locator {
    return this.site.page
      .getByRole('region', { name })
      .getByRole('row')
      .filter({ has: this.site.page.getByRole('rowheader') });
  }
}

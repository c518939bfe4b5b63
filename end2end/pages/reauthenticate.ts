import { expect, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** Where the password is entered again. */
export class ReauthenticatePage {
  constructor(private readonly tab: Tab) {}

  async open(next: string): Promise<void> {
    await this.tab.visit(`/reauthenticate?next=${encodeURIComponent(this.tab.basePath + next)}`);
    await expect(this.tab.heading('Enter your password again')).toBeVisible();
  }

  get password(): Locator {
    return this.tab.page.getByLabel('Password', { exact: true });
  }

  get complaint(): Locator {
    return this.tab.page.getByRole('alert');
  }

  async submit(password: string): Promise<void> {
    await this.password.fill(password);
    await this.tab.page.getByRole('button', { name: 'Confirm password' }).click();
  }
}

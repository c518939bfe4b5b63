import { expect, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** The form with which users change their own password. */
export class OwnPasswordPage {
  constructor(private readonly tab: Tab) {}

  /** From any page, by the menu that has the person's name. */
  async openFromMenu(): Promise<void> {
    await this.tab.userMenu.click();
    await this.tab.page.getByRole('link', { name: 'Change password' }).click();
    await expect(this.tab.heading('Change password')).toBeVisible();
    await this.tab.ready();
  }

  get current(): Locator {
    return this.tab.page.getByLabel('Current password');
  }

  get new(): Locator {
    return this.tab.page.getByLabel('New password', { exact: true });
  }

  get repeated(): Locator {
    return this.tab.page.getByLabel('New password again');
  }

  async submit(current: string, next: string, repeated = next): Promise<void> {
    await this.current.fill(current);
    await this.new.fill(next);
    await this.repeated.fill(repeated);
    await this.tab.page.getByRole('button', { name: 'Change password' }).click();
  }
}

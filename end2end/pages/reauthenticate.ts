import { expect, type Locator } from '@playwright/test';
import type { Site } from './site';

/** Where the password is entered again. */
export class ReauthenticatePage {
  constructor(private readonly site: Site) {}

  async open(next: string): Promise<void> {
    await this.site.visit(`/reauthenticate?next=${encodeURIComponent(this.site.basePath + next)}`);
    await expect(this.site.heading('Enter your password again')).toBeVisible();
  }

  get password(): Locator {
    return this.site.page.getByLabel('Password', { exact: true });
  }

  get complaint(): Locator {
    return this.site.page.getByRole('alert');
  }

  async submit(password: string): Promise<void> {
    await this.password.fill(password);
    await this.site.page.getByRole('button', { name: 'Confirm password' }).click();
  }
}

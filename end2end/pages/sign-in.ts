import type { Locator } from '@playwright/test';
import type { Person } from '../fixtures/people';
import type { Site } from './site';

export class SignInPage {
  constructor(private readonly site: Site) {}

  get username(): Locator {
    return this.site.page.getByLabel('Username');
  }

  get password(): Locator {
    return this.site.page.getByLabel('Password', { exact: true });
  }

  get complaint(): Locator {
    return this.site.page.getByRole('alert');
  }

  async submit({ username, password }: Person): Promise<void> {
    await this.username.fill(username);
    await this.password.fill(password);
    await this.site.page.getByRole('button', { name: 'Sign in' }).click();
  }
}

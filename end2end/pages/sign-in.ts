import type { Locator } from '@playwright/test';
import type { Person } from '../fixtures/people';
import type { Tab } from './tab';

export class SignInPage {
  constructor(private readonly tab: Tab) {}

  get username(): Locator {
    return this.tab.page.getByLabel('Username');
  }

  get password(): Locator {
    return this.tab.page.getByLabel('Password', { exact: true });
  }

  get complaint(): Locator {
    return this.tab.page.getByRole('alert');
  }

  async submit({ username, password }: Person): Promise<void> {
    await this.username.fill(username);
    await this.password.fill(password);
    await this.tab.page.getByRole('button', { name: 'Sign in' }).click();
  }
}

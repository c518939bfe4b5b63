import { expect, type Locator } from '@playwright/test';
import type { Person } from '../fixtures/people';
import type { Tab } from './tab';

/** The role, and who has it. */
export class UsersPage {
  constructor(private readonly tab: Tab) {}

  async open(): Promise<void> {
    await this.tab.visit('/settings/users');
    await expect(this.tab.heading('Users and roles')).toBeVisible();
  }

  get role(): Locator {
    return this.tab.page.getByRole('region', { name: 'apm_agent_key_role' });
  }

  row(username: string): Locator {
    return this.tab.page
      .getByRole('row')
      .filter({ has: this.tab.page.getByRole('rowheader').getByText(username, { exact: true }) });
  }

  async startCreating(): Promise<Locator> {
    await this.tab.page.getByRole('link', { name: 'Create user' }).click();
    const dialog = this.tab.page.getByRole('dialog', { name: 'Create user' });
    await expect(dialog).toBeVisible();
    await this.tab.ready();
    return dialog;
  }

  async create({ username, password }: Person, options: { agentKeyRole: boolean }): Promise<void> {
    const dialog = await this.startCreating();
    await dialog.getByLabel('Username').fill(username);
    await dialog.getByLabel('Password', { exact: true }).fill(password);
    await dialog.getByRole('checkbox', { name: /apm_agent_key_role/ }).setChecked(options.agentKeyRole);
    await dialog.getByRole('button', { name: 'Create user' }).click();
    await expect(dialog).toBeHidden();
    await this.tab.ready();
  }

  /** The switch that gives the role to a user, and takes it away. */
  roleOf(username: string): Locator {
    return this.row(username).getByRole('switch', { name: `Agent key role for ${username}` });
  }

  async toggleRole(username: string): Promise<void> {
    const before = await this.roleOf(username).getAttribute('aria-checked');
    await this.roleOf(username).click();
    await expect(this.roleOf(username)).toHaveAttribute('aria-checked', before === 'true' ? 'false' : 'true');
    await this.tab.ready();
  }

  /** One of the things that can be done to a user, by its button in the row. */
  async act(username: string, action: string): Promise<void> {
    await this.row(username).getByRole('button', { name: new RegExp(`^${action}`) }).click();
    await this.tab.ready();
  }

  async resetPassword(username: string, password: string): Promise<void> {
    await this.row(username).getByRole('link', { name: /^Reset password/ }).click();
    const dialog = this.tab.page.getByRole('dialog', { name: `New password for ${username}` });
    await expect(dialog).toBeVisible();
    await this.tab.ready();
    await dialog.getByLabel('Password', { exact: true }).fill(password);
    await dialog.getByRole('button', { name: 'Set password' }).click();
    await expect(dialog).toBeHidden();
    await this.tab.ready();
  }

  async delete(username: string): Promise<void> {
    await this.row(username).getByRole('link', { name: /^Delete/ }).click();
    const dialog = this.tab.page.getByRole('alertdialog', { name: `Delete ${username}?` });
    await expect(dialog).toBeVisible();
    await this.tab.ready();
    await dialog.getByRole('button', { name: /^Delete/ }).click();
    await expect(dialog).toBeHidden();
    await this.tab.ready();
  }
}

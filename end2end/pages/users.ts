import { expect, type Locator } from '@playwright/test';
import type { Person } from '../fixtures/people';
import type { Tab } from './tab';

/** The role, and who has it. */
export class UsersPage {
  constructor(private readonly tab: Tab) {}

  /** Opens the list, by default with room for everybody whom other stories have created. */
  async open(query = '?rows=100'): Promise<void> {
    await this.tab.visit(`/settings/users${query}`);
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
    await this.enterPassword(dialog, password);
    await dialog.getByRole('checkbox', { name: /apm_agent_key_role/ }).setChecked(options.agentKeyRole);
    await dialog.getByRole('button', { name: 'Create user' }).click();
    await expect(dialog).toBeHidden();
    await this.tab.ready();
  }

  /** Chooses to enter the password, which is generated otherwise. */
  async enterPassword(dialog: Locator, password: string): Promise<void> {
    await dialog.getByRole('radio', { name: 'Enter a password' }).check();
    await dialog.getByLabel('Password', { exact: true }).fill(password);
  }

  /** The button that opens the menu of a user. */
  actions(username: string): Locator {
    return this.row(username).getByRole('button', { name: `Actions for ${username}` });
  }

  /** Opens the menu of a user. */
  async menu(username: string): Promise<Locator> {
    await this.actions(username).click();
    const menu = this.row(username).getByRole('list');
    await expect(menu).toBeVisible();
    return menu;
  }

  /** Does what a button in the menu of a user offers. */
  async act(username: string, action: string): Promise<void> {
    const menu = await this.menu(username);
    await menu.getByRole('button', { name: action }).click();
    await expect(menu).toBeHidden();
    await this.tab.ready();
  }

  /** Opens a dialog from the menu of a user. */
  async startTo(username: string, action: string, title: string): Promise<Locator> {
    const menu = await this.menu(username);
    await menu.getByRole('link', { name: action }).click();
    const dialog = this.tab.page.getByRole('dialog', { name: title }).or(this.tab.page.getByRole('alertdialog', { name: title }));
    await expect(dialog).toBeVisible();
    await this.tab.ready();
    return dialog;
  }

  async disable(username: string): Promise<void> {
    await this.confirm(await this.startTo(username, 'Disable', `Disable ${username}?`), 'Disable user');
  }

  async delete(username: string): Promise<void> {
    await this.confirm(await this.startTo(username, 'Delete', `Delete ${username}?`), 'Delete user');
  }

  async resetPassword(username: string, password: string): Promise<void> {
    const dialog = await this.startTo(username, 'Change password', `New password for ${username}`);
    await this.enterPassword(dialog, password);
    await this.confirm(dialog, 'Set password');
  }

  private async confirm(dialog: Locator, button: string): Promise<void> {
    await dialog.getByRole('button', { name: button }).click();
    await expect(dialog).toBeHidden();
    await this.tab.ready();
  }

  get mappings(): Locator {
    return this.tab.page.getByRole('region', { name: 'Role mappings', exact: true }).first();
  }

  mapping(name: string): Locator {
    return this.tab.page
      .getByRole('row')
      .filter({ has: this.tab.page.getByRole('rowheader').getByText(name, { exact: true }) });
  }

  /** The dialog of a role mapping. */
  get mappingDialog(): Locator {
    const name = /role mapping|^Edit |^Delete /;
    return this.tab.page.getByRole('dialog', { name }).or(this.tab.page.getByRole('alertdialog', { name }));
  }

  async fillMapping({ name, realm, names }: { name?: string; realm?: string; names?: string[] }): Promise<void> {
    const dialog = this.mappingDialog;
    if (name !== undefined) await dialog.getByLabel('Name', { exact: true }).fill(name);
    if (realm !== undefined) await dialog.getByLabel('Realm').fill(realm);
    if (names !== undefined) await dialog.getByLabel('Names').fill(names.join('\n'));
  }

  /** The message of the last change, in the panel of the list. */
  get notice(): Locator {
    return this.tab.page.locator('[data-part="notice"]').getByRole('status');
  }

  /** The dialog that shows a generated password, this one time. */
  generated(title: string): Locator {
    return this.tab.page.getByRole('dialog', { name: title });
  }

  /** The generated password in its dialog. */
  async generatedPassword(dialog: Locator): Promise<string> {
    return (await dialog.getByRole('status', { name: 'Password' }).innerText()).trim();
  }
}

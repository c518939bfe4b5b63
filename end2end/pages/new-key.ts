import { expect, type Locator } from '@playwright/test';
import type { AgentPrivilege } from '../fixtures/engine';
import { CreatedDialog } from './created';
import type { Tab } from './tab';

export interface NewKey {
  name: string;
  /** What stays ticked; both unless it is said. */
  privileges?: readonly AgentPrivilege[];
  service?: string;
}

/** The flyout over the list. */
export class NewKeyForm {
  constructor(private readonly tab: Tab) {}

  async open(): Promise<void> {
    await this.tab.visit('/settings/agent-keys/new');
    await expect(this.dialog).toBeVisible();
  }

  get dialog(): Locator {
    return this.tab.page.getByRole('dialog', { name: 'Create APM agent key' });
  }

  get name(): Locator {
    return this.dialog.getByLabel('Name', { exact: true });
  }

  get service(): Locator {
    return this.dialog.getByLabel('Service', { exact: true });
  }

  privilege(privilege: AgentPrivilege): Locator {
    return this.dialog.getByRole('checkbox', { name: privilege });
  }

  get privileges(): Locator {
    return this.dialog.getByRole('group', { name: 'Privileges' });
  }

  get complaint(): Locator {
    return this.dialog.getByRole('alert');
  }

  /** What the second of two equal requests is told. */
  get createdAlready(): Locator {
    return this.complaint.filter({ hasText: 'This key was already created' });
  }

  get submit(): Locator {
    return this.dialog.getByRole('button', { name: 'Create APM agent key' });
  }

  async fill({ name, privileges, service }: NewKey): Promise<void> {
    await this.name.fill(name);
    for (const privilege of ['event:write', 'config_agent:read'] as const) {
      await this.privilege(privilege).setChecked(privileges?.includes(privilege) ?? true);
    }
    if (service !== undefined) await this.service.fill(service);
  }

  /** The whole way to the dialog with the secret. */
  async create(key: NewKey): Promise<void> {
    await this.open();
    await this.fill(key);
    await this.submit.click();
    await expect(new CreatedDialog(this.tab, key.name).dialog).toBeVisible();
    await this.tab.ready();
  }
}

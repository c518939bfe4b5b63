import { expect, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** The form that rotates a key. */
export class RotateDialog {
  constructor(
    private readonly tab: Tab,
    private readonly name: string,
  ) {}

  get dialog(): Locator {
    return this.tab.page.getByRole('dialog', { name: `Rotate ${this.name}` });
  }

  get newName(): Locator {
    return this.dialog.getByLabel('Name of the new key');
  }

  get moment(): Locator {
    return this.dialog.getByLabel('Old key stops working at');
  }

  end(title: string): Locator {
    return this.dialog.getByRole('radio', { name: title });
  }

  get submit(): Locator {
    return this.dialog.getByRole('button', { name: 'Create the new key' });
  }

  /** Opens the page of the key, and the form from there. */
  async open(id: string): Promise<void> {
    await this.tab.visit(`/settings/agent-keys/${id}`);
    await this.tab.page.getByRole('main').getByRole('link', { name: 'Rotate' }).click();
    await expect(this.dialog).toBeVisible();
    await this.tab.ready();
  }
}

import { expect, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** What APM Server has to be told before the first key. */
export class IntegrationPage {
  constructor(private readonly tab: Tab) {}

  async open(): Promise<void> {
    await this.tab.visit('/settings/apm-integration');
    await expect(this.tab.heading('APM integration')).toBeVisible();
  }

  get serverUrl(): Locator {
    return this.tab.page.getByLabel('APM Server URL');
  }

  get enabled(): Locator {
    return this.tab.page.getByRole('switch', { name: 'API key authorization' });
  }

  get limit(): Locator {
    return this.tab.page.getByLabel('Limit on unique keys');
  }

  get fragment(): Locator {
    return this.tab.page.getByRole('group', { name: 'APM Server set-up' });
  }

  async save(): Promise<void> {
    await this.tab.page.getByRole('button', { name: 'Save' }).click();
    await expect(this.tab.page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible();
    await this.tab.ready();
  }
}

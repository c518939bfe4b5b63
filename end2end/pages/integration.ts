import { expect, type Locator } from '@playwright/test';
import type { Site } from './site';

/** What APM Server has to be told before the first key. */
export class IntegrationPage {
  constructor(private readonly site: Site) {}

  async open(): Promise<void> {
    await this.site.visit('/settings/apm-integration');
    await expect(this.site.heading('APM integration')).toBeVisible();
  }

  get serverUrl(): Locator {
    return this.site.page.getByLabel('APM Server URL');
  }

  get enabled(): Locator {
    return this.site.page.getByRole('switch', { name: 'API key authorization' });
  }

  get limit(): Locator {
    return this.site.page.getByLabel('Limit on unique keys');
  }

  get fragment(): Locator {
    return this.site.page.getByRole('group', { name: 'APM Server set-up' });
  }

  async save(): Promise<void> {
    await this.site.page.getByRole('button', { name: 'Save' }).click();
    await expect(this.site.page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible();
    await this.site.ready();
  }
}

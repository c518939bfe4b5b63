import { expect, type Download, type Locator } from '@playwright/test';
import type { Site } from './site';

/** What happened, newest first. */
export class AuditPage {
  constructor(private readonly site: Site) {}

  async open(query = ''): Promise<void> {
    await this.site.visit(`/settings/audit${query}`);
    await expect(this.site.heading('Audit log')).toBeVisible();
  }

  /** The rows of events, without those that hold their details. */
  get events(): Locator {
    return this.site.page
      .getByRole('region', { name: 'Audit events' })
      .getByRole('row')
      .filter({ has: this.site.page.getByRole('rowheader') });
  }

  /** The event of this action and outcome on this target. */
  event(action: string, outcome: string, target: string): Locator {
    return this.events.filter({ hasText: action }).filter({ hasText: outcome }).filter({ hasText: target });
  }

  async filter(choices: { person?: string; target?: string; action?: string; outcome?: string }): Promise<void> {
    const { page } = this.site;
    if (choices.person !== undefined) await page.getByLabel('Person', { exact: true }).fill(choices.person);
    if (choices.target !== undefined) await page.getByLabel('Target', { exact: true }).fill(choices.target);
    if (choices.action !== undefined) await page.getByLabel('Action', { exact: true }).selectOption(choices.action);
    if (choices.outcome !== undefined) await page.getByLabel('Outcome', { exact: true }).selectOption(choices.outcome);
    await page.getByRole('button', { name: 'Apply' }).click();
    await this.site.ready();
  }

  /** Opens the details of the first event that is shown, and answers its JSON. */
  async readFirst(): Promise<Record<string, unknown>> {
    await this.site.page.getByText(/^Details of event \d+$/).first().click();
    const text = await this.site.page.getByRole('group', { name: /^Event \d+$/ }).first().innerText();
    return JSON.parse(text) as Record<string, unknown>;
  }

  async export(format: 'JSON lines' | 'CSV'): Promise<Download> {
    const [download] = await Promise.all([
      this.site.page.waitForEvent('download'),
      this.site.page.getByRole('link', { name: `Export ${format}` }).click(),
    ]);
    return download;
  }
}

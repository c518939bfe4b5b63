import { expect, type Download, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** What happened, newest first. */
export class AuditPage {
  constructor(private readonly tab: Tab) {}

  async open(query = ''): Promise<void> {
    await this.tab.visit(`/settings/audit${query}`);
    await expect(this.tab.heading('Audit log')).toBeVisible();
  }

  /** The rows of events, without those that hold their details. */
  get events(): Locator {
    return this.tab.page
      .getByRole('region', { name: 'Audit events' })
      .getByRole('row')
      .filter({ has: this.tab.page.getByRole('rowheader') });
  }

  /** The event of this action and outcome on this target. */
  event(action: string, outcome: string, target: string): Locator {
    return this.events.filter({ hasText: action }).filter({ hasText: outcome }).filter({ hasText: target });
  }

  async filter(choices: { person?: string; target?: string; action?: string; outcome?: string }): Promise<void> {
    const { page } = this.tab;
    if (choices.person !== undefined) await page.getByLabel('User', { exact: true }).fill(choices.person);
    if (choices.target !== undefined) await page.getByLabel('Target', { exact: true }).fill(choices.target);
    if (choices.action !== undefined) await page.getByLabel('Action', { exact: true }).selectOption(choices.action);
    if (choices.outcome !== undefined) await page.getByLabel('Outcome', { exact: true }).selectOption(choices.outcome);
    await page.getByRole('button', { name: 'Apply' }).click();
    await this.tab.ready();
  }

  /** Opens the details of the first row, and returns the JSON of its event with the outcome. */
  async readFirst(): Promise<Record<string, unknown>> {
    const summary = this.tab.page.getByText(/^Details of event \d+$/).first();
    const name = (await summary.innerText()).replace('Details of event', 'Event');
    await summary.click();
    const text = await this.tab.page.getByRole('group', { name, exact: true }).innerText();
    return JSON.parse(text) as Record<string, unknown>;
  }

  async export(format: 'JSON lines' | 'CSV'): Promise<Download> {
    const [download] = await Promise.all([
      this.tab.page.waitForEvent('download'),
      this.tab.page.getByRole('link', { name: `Export ${format}` }).click(),
    ]);
    return download;
  }
}

import { expect, type Locator } from '@playwright/test';
import type { Tab } from './tab';

/** A part of what stands in a secret's place while it is masked. */
export const MASK = '••••';

/** Both texts are in the document, and the style sheet draws one of them. */
export const AS_SEEN = { useInnerText: true };

export type Format = 'Base64' | 'id:key' | 'Authorization header';

/** The dialog that shows a new key's secret, this one time. */
export class CreatedDialog {
  constructor(
    private readonly tab: Tab,
    readonly name: string,
  ) {}

  get dialog(): Locator {
    return this.tab.page.getByRole('dialog', { name: `Key created: ${this.name}` });
  }

  /** The secret's place, masked or not, in the form that is chosen. */
  get shown(): Locator {
    return this.dialog.getByRole('status', { name: 'API key' });
  }

  async choose(format: Format): Promise<void> {
    await this.tick(this.dialog.getByRole('radio', { name: format, exact: true }));
  }

  /** The secret in the form that is chosen, made visible first. */
  async secret(): Promise<string> {
    await this.tick(this.dialog.getByRole('checkbox', { name: 'Show' }));
    await expect(this.shown).not.toContainText(MASK, AS_SEEN);
    return (await this.shown.innerText()).trim();
  }

  /** The Copy button beside the secret; each snippet has its own. */
  get copy(): Locator {
    return this.dialog.getByRole('button', { name: 'Copy the API key' });
  }

  get copied(): Locator {
    return this.dialog.getByRole('button', { name: 'Copied the API key' });
  }

  async chooseAgent(agent: string): Promise<void> {
    await this.tick(this.dialog.getByRole('radio', { name: agent, exact: true }));
  }

  /** What is drawn is the label; the box inside it is there for keyboards and ears. */
  private async tick(box: Locator): Promise<void> {
    if (!(await box.isChecked())) await box.locator('xpath=ancestor::label').click();
    await expect(box).toBeChecked();
  }

  /** An agent's file: its text, and the button that copies it. */
  snippet(label: string): Locator {
    return this.dialog.getByRole('figure').filter({ has: this.tab.page.getByRole('group', { name: label }) });
  }

  get stored(): Locator {
    return this.dialog.getByRole('checkbox', { name: 'I have stored this key' });
  }

  get done(): Locator {
    return this.dialog.getByRole('button', { name: 'Done' });
  }

  async finish(): Promise<void> {
    await this.stored.check();
    await this.done.click();
    await expect(this.dialog).toBeHidden();
    await this.tab.ready();
  }
}

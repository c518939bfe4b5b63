import { expect, type Locator, type Page } from '@playwright/test';

/** A browser tab with the application in it: what every page has. */
export class Tab {
  constructor(
    readonly page: Page,
    readonly url: string,
    readonly javaScript: boolean,
  ) {}

  /** Goes to a page by its path and waits until it can be used. */
  async visit(path: string): Promise<void> {
    await this.page.goto(`${this.url}${path}`);
    await this.ready();
  }

  /** The path below which all pages are, or nothing. */
  get basePath(): string {
    return new URL(this.url).pathname.replace(/\/$/, '');
  }

  /** The path of the page, as `visit` takes it. */
  get path(): string {
    return new URL(this.page.url()).pathname.slice(this.basePath.length);
  }

  /** Waits until the page answers to clicks by script, where there is script. The answer to a plain form has none. */
  async ready(): Promise<void> {
    if (this.javaScript) await expect(this.page.locator('html[data-hydrated], html[data-posted]')).toBeAttached();
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.ready();
  }

  /** Goes back. A browser that would have to send a form again for it says so instead, and shows nothing of the page. */
  async goBack(): Promise<'shown' | 'not kept'> {
    try {
      await this.page.goBack();
    } catch (error) {
      if (String(error).includes('ERR_CACHE_MISS')) return 'not kept';
      throw error;
    }
    await this.ready();
    return 'shown';
  }

  get userMenu(): Locator {
    return this.page.getByRole('button', { name: /^User menu/ });
  }

  heading(name: string | RegExp): Locator {
    return this.page.getByRole('heading', { level: 1, name });
  }
}

import { expect, type Locator, type Page } from '@playwright/test';
import type { Person } from '../fixtures/people';
import { AgentKeysPage } from './agent-keys';
import { AuditPage } from './audit';
import { CreatedDialog } from './created';
import { IntegrationPage } from './integration';
import { NewKeyForm } from './new-key';
import { ReauthenticatePage } from './reauthenticate';
import { RevokeDialog } from './revoke';
import { RevokeManyDialog } from './revoke-many';
import { SessionsPage } from './sessions';
import { SignInPage } from './sign-in';
import { UsersPage } from './users';

/** The application as a person in a browser has it. */
export class Site {
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

  /** Waits until the page answers to clicks by script, where there is script. */
  async ready(): Promise<void> {
    if (this.javaScript) await expect(this.page.locator('html')).toHaveAttribute('data-hydrated', 'true');
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

  /** Another tab of the same browser: the same session. */
  async otherTab(): Promise<Site> {
    return new Site(await this.page.context().newPage(), this.url, this.javaScript);
  }

  /** Another browser: a session of its own. Whoever opens it closes it. */
  async otherBrowser(): Promise<Site> {
    const browser = this.page.context().browser();
    if (browser === null) throw new Error('this tab has no browser to open another one in');
    const context = await browser.newContext({ javaScriptEnabled: this.javaScript });
    return new Site(await context.newPage(), this.url, this.javaScript);
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  async signIn(person: Person): Promise<void> {
    await this.visit('/login');
    await this.signInPage.submit(person);
    await expect(this.page).toHaveURL(/\/settings\/agent-keys/);
    await this.ready();
  }

  /** Signing out is on every page, in the menu of the user. */
  async signOut(): Promise<void> {
    const signOut = this.page.getByRole('button', { name: 'Sign out' });
    if (!(await signOut.isVisible())) await this.userMenu.click();
    await signOut.click();
    await expect(this.page).toHaveURL(/\/login/);
    await this.ready();
  }

  get userMenu(): Locator {
    return this.page.getByRole('button', { name: /^User menu/ });
  }

  heading(name: string | RegExp): Locator {
    return this.page.getByRole('heading', { level: 1, name });
  }

  /** The cause, in place of the content of a page that needs Elasticsearch. */
  get outage(): Locator {
    return this.page.getByRole('main').getByRole('alert').filter({ hasText: 'Elasticsearch cannot be reached' });
  }

  get signInPage(): SignInPage {
    return new SignInPage(this);
  }

  get agentKeys(): AgentKeysPage {
    return new AgentKeysPage(this);
  }

  get newKey(): NewKeyForm {
    return new NewKeyForm(this);
  }

  created(name: string): CreatedDialog {
    return new CreatedDialog(this, name);
  }

  revoke(name: string): RevokeDialog {
    return new RevokeDialog(this, name);
  }

  get revokeMany(): RevokeManyDialog {
    return new RevokeManyDialog(this);
  }

  get audit(): AuditPage {
    return new AuditPage(this);
  }

  get sessions(): SessionsPage {
    return new SessionsPage(this);
  }

  get reauthenticate(): ReauthenticatePage {
    return new ReauthenticatePage(this);
  }

  get users(): UsersPage {
    return new UsersPage(this);
  }

  get integration(): IntegrationPage {
    return new IntegrationPage(this);
  }
}

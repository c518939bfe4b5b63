import { expect, type Locator } from '@playwright/test';
import type { Person } from '../fixtures/people';
import { AgentKeysPage } from './agent-keys';
import { AuditPage } from './audit';
import { CreatedDialog } from './created';
import { IntegrationPage } from './integration';
import { NewKeyForm } from './new-key';
import { OwnPasswordPage } from './own-password';
import { ReauthenticatePage } from './reauthenticate';
import { RevokeDialog } from './revoke';
import { RevokeManyDialog } from './revoke-many';
import { RotateDialog } from './rotate';
import { SessionsPage } from './sessions';
import { SignInPage } from './sign-in';
import { Tab } from './tab';
import { UsersPage } from './users';

/** The application as a person in a browser has it. */
export class Site extends Tab {
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

  /** Signs in with one request and draws no page, for stories about something else. */
  async signInByRequest({ username, password }: Person): Promise<void> {
    const answer = await this.page.context().request.post(`${this.url}/api/sign_in`, {
      form: { page: `${this.basePath}/login`, next: '', username, password },
      headers: { Origin: new URL(this.url).origin, 'User-Agent': await this.page.evaluate(() => navigator.userAgent) },
      maxRedirects: 0,
    });
    expect(answer.headers()['location']).toContain('/settings/agent-keys');
  }

  /** Signs in as a person does, and ends on the list. */
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

  rotate(name: string): RotateDialog {
    return new RotateDialog(this, name);
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

  get ownPassword(): OwnPasswordPage {
    return new OwnPasswordPage(this);
  }

  get integration(): IntegrationPage {
    return new IntegrationPage(this);
  }
}

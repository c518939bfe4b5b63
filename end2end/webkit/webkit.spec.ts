import { basic } from '../fixtures/engine';
import { elastic, operator, type Person } from '../fixtures/people';
import { expect, test as base } from '../fixtures/app';
import { WEBKIT_MISSING, WebKitPage } from './webkit';

/** The application in WebKitGTK, by what a user sees. */
class Site {
  constructor(
    readonly page: WebKitPage,
    private readonly url: string,
  ) {}

  async visit(path: string): Promise<void> {
    await this.page.load(`${this.url}${path}`);
    await this.ready();
  }

  async ready(): Promise<void> {
    await expect(async () => {
      expect(await this.page.run(() => document.documentElement.matches('[data-hydrated], [data-posted]'))).toBe(true);
    }).toPass();
  }

  /** Waits until the page shows a text. */
  async shows(text: string | RegExp): Promise<void> {
    await expect(async () => {
      expect(await this.page.run(() => document.body.innerText)).toMatch(text);
    }).toPass();
  }

  async text(): Promise<string> {
    return this.page.run(() => document.body.innerText);
  }

  /** Types into a field, or ticks a box. */
  async enter(label: string, text?: string): Promise<void> {
    await this.page.run(
      (label, text) => {
        const field = [...document.querySelectorAll('input')].find((input) => {
          const names = [input.ariaLabel, ...[...(input.labels ?? [])].map(({ textContent }) => textContent)];
          return names.some((name) => name?.replace('Optional', '').trim() === label);
        });
        if (field === undefined) throw new Error(`there is no field ${label}`);
        if (text === null) return field.checked || field.click();
        field.focus();
        field.select();
        document.execCommand('insertText', false, text);
      },
      label,
      text ?? null,
    );
  }

  async search(text: string): Promise<void> {
    await this.enter('Search keys', text);
    await this.page.run(() => (document.activeElement as HTMLInputElement).form?.requestSubmit());
  }

  /** Presses a button or a link, of the dialog where there is one. */
  async press(name: string): Promise<void> {
    await this.page.run((name) => {
      const place = document.querySelector('dialog[open]') ?? document;
      const button = [...place.querySelectorAll<HTMLElement>('button, a')].find(
        (element) => (element.ariaLabel ?? element.innerText).trim() === name && element.checkVisibility(),
      );
      if (button === undefined) throw new Error(`there is no button or link ${name}`);
      button.click();
    }, name);
  }

  async signIn({ username, password }: Person): Promise<void> {
    await this.visit('/login');
    await this.enter('Username', username);
    await this.enter('Password', password);
    await this.press('Sign in');
    await this.shows('Agent keys');
    await this.ready();
  }
}

const test = base.extend<{ site: Site }>({
  site: async ({ app }, use) => {
    const page = new WebKitPage();
    await use(new Site(page, app.url));
    await page.stop();
    expect(page.complaints, 'complaints of the browser').toEqual([]);
  },
});

test.skip(WEBKIT_MISSING !== undefined, WEBKIT_MISSING);

test('a user signs in, finds a key, creates one, and sees its secret once', async ({ app, site }) => {
  const person = await operator(app);
  const owner = basic(person.username, person.password);
  await app.engine.createAgentKeys(['payments-prod', 'checkout-dev'], owner);
  await site.signIn(person);
  await site.shows(/payments-prod[^]*of 2 keys|of 2 keys[^]*payments-prod/);
  await site.search('checkout');
  await site.shows('of 1 key');
  expect(await site.text()).not.toContain('payments-prod');

  await site.visit('/settings/agent-keys/new');
  await site.enter('Name', 'checkout-prod');
  await site.press('Create APM agent key');
  await site.shows('Key created: checkout-prod');
  await site.ready();
  await site.shows('••••');
  await site.enter('Show');
  const secret = /[A-Za-z0-9+/]{50,}={0,2}/.exec(await site.text())?.[0];
  expect(secret).toBeDefined();
  const who = await app.engine.call('GET', '/_security/_authenticate', undefined, `ApiKey ${secret}`);
  expect(who.status).toBe(200);
  await site.enter('I have stored this key');
  await site.press('Done');
  await site.shows('of 3 keys');
  expect(await site.page.run(() => document.documentElement.outerHTML)).not.toContain(secret);
});

test('an administrator saves the settings, and opens users, audit log and sessions', async ({ app, site }) => {
  const person = await operator(app);
  await site.signIn(elastic(app));
  await site.visit('/settings/apm-integration');
  await site.enter('APM Server URL', 'https://apm.example.com:8200');
  await site.press('Save');
  await site.shows('Saved');
  await site.visit('/settings/users');
  await site.shows(person.username);
  await site.press('Audit log');
  await site.shows('Details of event');
  await site.visit('/settings/sessions');
  await site.shows('This session');
});

import { operator } from '../fixtures/people';
import { expect, PROGRAMS, test, whyMissing } from '../fixtures/reverse-proxy';

/** At the root of a host, the tests of the server show the same. */
const BASE_PATH = '/agent-keys';
const OF_COOKIES = /^__Host-agent-keys(-device)?_\d+\.agent-keys$/;

for (const program of PROGRAMS) {
  test.describe(`behind ${program}, below a path`, () => {
    const missing = whyMissing(program);
    test.skip(missing !== undefined, missing);
    test.use({ program, proxySettings: { AGENT_KEYS_BASE_PATH: BASE_PATH } });

    test('a user signs in, creates a key, finds it, revokes it and signs out', async ({ behindProxy: { app, site }, context }) => {
      const name = 'behind a proxy';
      const statusOf = async (secret: string): Promise<number> =>
        (await app.engine.call('GET', '/_security/_authenticate', undefined, `ApiKey ${secret}`)).status;

      await test.step('the cookies belong to this host and travel over TLS alone', async () => {
        await site.signIn(await operator(app));
        const cookies = await context.cookies();
        expect(cookies.length).toBeGreaterThan(0);
        for (const cookie of cookies) {
          expect(cookie).toMatchObject({ name: expect.stringMatching(OF_COOKIES), secure: true, httpOnly: true });
        }
      });

      const secret = await test.step('the secret of a new key is shown, and opens the engine', async () => {
        await site.agentKeys.create.click();
        await expect(site.newKey.dialog).toBeVisible();
        await site.ready();
        await site.newKey.fill({ name });
        await site.newKey.submit.click();
        const created = site.created(name);
        await expect(created.dialog).toBeVisible();
        await site.ready();
        const shown = await created.secret();
        expect(await statusOf(shown)).toBe(200);
        await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(site.url).origin });
        await created.copy.click();
        await expect(created.copied).toBeVisible();
        expect(await site.page.evaluate(() => navigator.clipboard.readText())).toBe(shown);
        await created.finish();
        return shown;
      });

      await test.step('the key is in the list until it is revoked', async () => {
        await expect(site.agentKeys.row(name)).toContainText('Active');
        await site.agentKeys.startRevoking(name);
        await site.revoke(name).confirm();
        await expect(site.agentKeys.row(name)).toContainText('Revoked');
        expect(await statusOf(secret)).toBe(401);
      });

      await test.step('the address without a page leads to the list', async () => {
        await site.visit('');
        await expect(site.page).toHaveURL(`${site.url}/settings/agent-keys`);
      });

      await test.step('after signing out the list is out of reach', async () => {
        await site.signOut();
        // Browsers ignore the removal of a `__Host-` cookie that lacks an attribute.
        const left = (await context.cookies()).map(({ name }) => name);
        expect(left.filter((name) => !name.includes('device'))).toEqual([]);
        await site.visit('/settings/agent-keys');
        await expect(site.page).toHaveURL(/\/login/);
      });
    });
  });
}

import { mergeTests } from '@playwright/test';
import { sendWithDjango, sendWithFlask } from '../agents/python';
import { GO_MISSING, sendWithGo } from '../agents/go';
import { JAVA_MISSING, sendWithJava } from '../agents/java';
import { sendWithNode } from '../agents/node';
import { sendWithOpenTelemetry } from '../agents/opentelemetry';
import type { Finished } from '../agents/process';
import { CACHE_LIFETIME_MS, test as apmServerTest } from '../fixtures/fake-apm-server';
import { elastic, operator } from '../fixtures/people';
import { expect, test as storyTest } from '../fixtures/story';
import { AS_SEEN, MASK } from '../pages/created';

const test = mergeTests(storyTest, apmServerTest);

const AGENTS: { tab: string; snippet: string; send: (snippet: string) => Promise<Finished>; missing?: string | undefined }[] = [
  { tab: 'Node.js', snippet: 'Node.js set-up', send: sendWithNode },
  { tab: 'Flask', snippet: 'Flask set-up', send: sendWithFlask },
  { tab: 'Django', snippet: 'Django set-up', send: sendWithDjango },
  { tab: 'OpenTelemetry', snippet: 'OpenTelemetry set-up', send: sendWithOpenTelemetry },
  { tab: 'Java', snippet: 'Java set-up', send: sendWithJava, missing: JAVA_MISSING },
  { tab: 'Go', snippet: 'Go set-up', send: sendWithGo, missing: GO_MISSING },
];

for (const { tab, snippet, send, missing } of AGENTS) {
  test(`${snippet}: the agent is heard, and after revoking no longer`, async ({
    app,
    clock,
    context,
    site,
    startApmServer,
  }) => {
    test.skip(missing !== undefined, missing);
    test.slow();
    const apmServer = await startApmServer();
    const name = `key for ${snippet}`;

    await test.step('an administrator says where APM Server is', async () => {
      await site.signInByRequest(elastic(app));
      await site.integration.open();
      await site.integration.serverUrl.fill(apmServer.url);
      await site.integration.save();
      await site.signOut();
    });

    const text = await test.step('an operator creates a key and copies the snippet', async () => {
      await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(app.url).origin });
      await site.signInByRequest(await operator(app));
      await site.newKey.create({ name, service: 'checkout' });
      const created = site.created(name);
      await created.chooseAgent(tab);
      const shown = created.snippet(snippet);
      await expect(shown).toContainText(MASK, AS_SEEN);
      await shown.getByRole('button', { name: /^Copy/ }).click();
      await expect(shown.getByRole('button', { name: /^Copied/ })).toBeVisible();
      return site.page.evaluate(() => navigator.clipboard.readText());
    });

    await test.step('what the agent sends arrives', async () => {
      const sent = await send(text);
      expect(sent.status, `${text}\n${sent.output}`).toBe(0);
      const delivery = await apmServer.ledger.waitFor(
        `a delivery (${sent.output})`,
        ({ status, events }) => status < 300 && events.some(({ kind }) => kind === 'transaction' || kind === 'span'),
      );
      expect(delivery.service).toBe('checkout');
    });

    await test.step('the key is revoked, and after the minute that APM Server believes in it, refused', async () => {
      await site.agentKeys.open(`?q=${encodeURIComponent(name)}`);
      await site.agentKeys.startRevoking(name);
      await site.revoke(name).confirm();
      clock.pass(CACHE_LIFETIME_MS);
      await send(text);
      const refusal = await apmServer.ledger.waitFor('a refusal', ({ status }) => status >= 300);
      expect(refusal.status).toBe(401);
    });
  });
}

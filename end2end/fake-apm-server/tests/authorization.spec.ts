import { apiKey, expect, sendEvents, test, withWrongSecret } from './fixtures';

/** The rules by which APM Server believes a key, one test per rule. */

test('a key that Elasticsearch knows is believed', async ({ app, startApmServer }) => {
  const key = await app.engine.createAgentKey('believed', ['event:write']);
  expect((await sendEvents(await startApmServer(), apiKey(key))).status).toBe(202);
});

test('no header at all names both schemes', async ({ startApmServer }) => {
  const refused = await sendEvents(await startApmServer(), {});
  expect(refused.status).toBe(401);
  const { error } = (await refused.json()) as { error: string };
  expect(error).toMatch(/^authentication failed: .*Bearer.*ApiKey/);
});

for (const [rule, spoil] of [
  ['the scheme is case-sensitive', (encoded: string) => `apikey ${encoded}`],
  ['the scheme ends at a space', (encoded: string) => `ApiKey${encoded}`],
  ['an unknown scheme is refused', (encoded: string) => `Basic ${encoded}`],
  ['missing padding is refused', (encoded: string) => `ApiKey ${encoded.replace(/=+$/, '')}`],
  ['a second space belongs to the token and spoils it', (encoded: string) => `ApiKey  ${encoded}`],
  ['the URL-safe alphabet is refused', () => `ApiKey ${Buffer.from('id:>>>???').toString('base64url')}`],
  ['a token without a colon is refused', () => `ApiKey ${Buffer.from('no colon').toString('base64')}`],
] as const) {
  test(rule, async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('spoiled', ['event:write']);
    const apmServer = await startApmServer();
    // The control: what is spoiled below would have been accepted.
    expect((await sendEvents(apmServer, apiKey(key))).status).toBe(202);
    expect((await sendEvents(apmServer, { Authorization: spoil(key.encoded) })).status).toBe(401);
  });
}

test('a key that may do none of the three is no key', async ({ app, startApmServer }) => {
  const key = await app.engine.createAgentKey('powerless', ['something:else']);
  const refused = await sendEvents(await startApmServer(), apiKey(key));
  expect(refused.status).toBe(401);
  expect(await refused.json()).toEqual({ error: 'authentication failed' });
});

test('any one of the three makes a key a key', async ({ app, startApmServer }) => {
  const apmServer = await startApmServer();
  for (const privilege of ['event:write', 'config_agent:read', 'sourcemap:write']) {
    const key = await app.engine.createAgentKey(privilege, [privilege]);
    const info = await fetch(apmServer.url, { headers: apiKey(key) });
    expect(await info.json()).toMatchObject({ publish_ready: true });
  }
});

test('within the lifetime of a good answer any secret with that id is believed', async ({ app, startApmServer }) => {
  const key = await app.engine.createAgentKey('shared id', ['event:write']);
  const apmServer = await startApmServer();
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(202);
  expect((await sendEvents(apmServer, withWrongSecret(key))).status).toBe(202);
});

test('after a wrong secret the right one is refused too, until the entry expires', async ({
  app,
  clock,
  startApmServer,
}) => {
  const key = await app.engine.createAgentKey('locked out', ['event:write']);
  const apmServer = await startApmServer();
  expect((await sendEvents(apmServer, withWrongSecret(key))).status).toBe(401);
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(401);
  clock.pass(60_000);
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(202);
});

test('a revoked key works until the entry expires, and not a moment longer', async ({ app, clock, startApmServer }) => {
  const key = await app.engine.createAgentKey('revoked', ['event:write']);
  const apmServer = await startApmServer();
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(202);
  await app.engine.revoke(key.id);
  clock.pass(59_999);
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(202);
  clock.pass(1);
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(401);
});

test('use does not make an entry live longer', async ({ app, clock, startApmServer }) => {
  const key = await app.engine.createAgentKey('busy', ['event:write']);
  const apmServer = await startApmServer();
  for (let use = 0; use < 6; use += 1) {
    expect((await sendEvents(apmServer, apiKey(key))).status).toBe(202);
    if (use === 0) await app.engine.revoke(key.id);
    clock.pass(10_000);
  }
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(401);
});

test('the lifetime can be shortened', async ({ app, clock, startApmServer }) => {
  const key = await app.engine.createAgentKey('short', ['event:write']);
  const apmServer = await startApmServer({ cacheLifetimeMs: 500 });
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(202);
  await app.engine.revoke(key.id);
  clock.pass(500);
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(401);
});

test('an id beyond the limit is answered 503, known ids are still served', async ({ app, startApmServer }) => {
  const [first, second] = await Promise.all([
    app.engine.createAgentKey('first', ['event:write']),
    app.engine.createAgentKey('second', ['event:write']),
  ]);
  const apmServer = await startApmServer({ limit: 1 });
  expect((await sendEvents(apmServer, apiKey(first))).status).toBe(202);
  const over = await sendEvents(apmServer, apiKey(second));
  expect(over.status).toBe(503);
  expect(await over.json()).toEqual({ error: 'service unavailable' });
  expect((await sendEvents(apmServer, apiKey(first))).status).toBe(202);
});

test('entries that have expired still count against the limit', async ({ app, clock, startApmServer }) => {
  const [first, second] = await Promise.all([
    app.engine.createAgentKey('first', ['event:write']),
    app.engine.createAgentKey('second', ['event:write']),
  ]);
  const apmServer = await startApmServer({ limit: 1 });
  expect((await sendEvents(apmServer, apiKey(first))).status).toBe(202);
  clock.pass(120_000);
  expect((await sendEvents(apmServer, apiKey(second))).status).toBe(503);
});

test('refused ids use up the limit as well', async ({ app, startApmServer }) => {
  const key = await app.engine.createAgentKey('late', ['event:write']);
  const apmServer = await startApmServer({ limit: 1 });
  expect((await sendEvents(apmServer, withWrongSecret({ id: 'made-up' }))).status).toBe(401);
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(503);
});

test('an Elasticsearch that cannot be reached is 503', async ({ app, startApmServer }) => {
  const key = await app.engine.createAgentKey('unlucky', ['event:write']);
  // Port 9 is discard: nothing listens there.
  const apmServer = await startApmServer({ elasticsearch: 'http://127.0.0.1:9' });
  expect((await sendEvents(apmServer, apiKey(key))).status).toBe(503);
});

test('the secret token is an identity of its own', async ({ startApmServer }) => {
  const apmServer = await startApmServer({ secretToken: 'hunter2' });
  expect((await sendEvents(apmServer, { Authorization: 'Bearer hunter2' })).status).toBe(202);
  expect((await sendEvents(apmServer, { Authorization: 'Bearer hunter3' })).status).toBe(401);
  expect((await sendEvents(apmServer, { Authorization: 'bearer hunter2' })).status).toBe(401);
});

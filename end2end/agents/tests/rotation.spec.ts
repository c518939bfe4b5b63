import { CACHE_LIFETIME_MS, expect, test } from '../../fixtures/fake-apm-server';
import { AGENT_FILE, JAVA_MISSING, startJava } from '../java';

/** The agent looks at its file every 30 s, by its own clock. */
const RELOAD_TIMEOUT_MS = 60_000;

test('Java agent takes a new key from its file without a restart', async ({ app, clock, startApmServer }) => {
  test.skip(JAVA_MISSING !== undefined, JAVA_MISSING);
  test.slow();
  const apmServer = await startApmServer();
  const snippet = (key: string): string => `service_name=checkout\nserver_url=${apmServer.url}\napi_key=${key}`;
  const old = await app.engine.createAgentKey('before rotation', ['event:write', 'config_agent:read']);
  const next = await app.engine.createAgentKey('after rotation', ['event:write', 'config_agent:read']);

  const agent = await startJava(snippet(old.encoded));
  try {
    const transaction = (name: string, keyId: string, timeoutMs?: number): Promise<unknown> =>
      apmServer.ledger.waitFor(
        `${name} with the key ${keyId}`,
        (delivery) => delivery.status === 202 && delivery.keyId === keyId && delivery.events.some((event) => event.name === name),
        timeoutMs,
      );
    await transaction('one transaction', old.id, RELOAD_TIMEOUT_MS);

    await agent.write(AGENT_FILE, `${snippet(next.encoded)}\n`);
    const traffic = setInterval(() => agent.line('while the file changes'), 500);
    await transaction('while the file changes', next.id, RELOAD_TIMEOUT_MS).finally(() => clearInterval(traffic));

    await app.engine.revoke(old.id);
    clock.pass(CACHE_LIFETIME_MS);
    agent.line('after the old key is revoked');
    await transaction('after the old key is revoked', next.id);
    expect(apmServer.ledger.refused).toEqual([]);

    await app.engine.revoke(next.id);
    clock.pass(CACHE_LIFETIME_MS);
    agent.line('after both are revoked');
    const refusal = await apmServer.ledger.waitFor('a refusal', ({ status }) => status >= 300);
    expect(refusal).toMatchObject({ keyId: next.id, status: 401 });
  } finally {
    await agent.stop();
  }
});

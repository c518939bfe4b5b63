import { deflateSync, gzipSync } from 'node:zlib';
import { apiKey, expect, METADATA, sendEvents, test, TRANSACTION } from './fixtures';
import { lengthDelimited } from '../protobuf';

/** What APM Server answers, endpoint by endpoint. */

test.describe('the root', () => {
  test('tells strangers nothing, with 200', async ({ startApmServer }) => {
    const { url } = await startApmServer();
    const silent = await fetch(url);
    expect(silent.status).toBe(200);
    expect(await silent.text()).toBe('');
  });

  test('tells those it knows its version', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('root', ['config_agent:read']);
    const info = await fetch((await startApmServer()).url, { headers: apiKey(key) });
    expect(Object.keys((await info.json()) as object).sort()).toEqual([
      'build_date',
      'build_sha',
      'publish_ready',
      'version',
    ]);
    expect(info.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('takes no other method', async ({ startApmServer }) => {
    expect((await fetch((await startApmServer()).url, { method: 'POST' })).status).toBe(405);
  });
});

test.describe('the events intake', () => {
  test('accepts gzip, deflate and plain', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('encodings', ['event:write']);
    const apmServer = await startApmServer();
    const lines = [METADATA, TRANSACTION].join('\n');
    for (const [encoding, body] of [
      ['gzip', gzipSync(lines)],
      ['deflate', deflateSync(lines)],
      ['identity', Buffer.from(lines)],
    ] as const) {
      const accepted = await fetch(`${apmServer.url}/intake/v2/events`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-ndjson', 'Content-Encoding': encoding, ...apiKey(key) },
        body,
      });
      expect(accepted.status, encoding).toBe(202);
      expect(await accepted.text()).toBe('');
    }
    expect(apmServer.ledger.accepted).toHaveLength(3);
    expect(apmServer.ledger.accepted[0]).toMatchObject({
      keyId: key.id,
      service: 'checkout',
      events: [{ kind: 'transaction', name: 'GET /' }],
    });
  });

  test('counts them when asked to be verbose', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('verbose', ['event:write']);
    const accepted = await sendEvents(await startApmServer(), apiKey(key), [METADATA, TRANSACTION, TRANSACTION], '?verbose');
    expect(await accepted.json()).toEqual({ accepted: 2 });
  });

  test('names the privilege that is missing', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('reader', ['config_agent:read']);
    const apmServer = await startApmServer();
    const refused = await sendEvents(apmServer, apiKey(key));
    expect(refused.status).toBe(403);
    expect(refused.headers.get('connection')).toMatch(/close/i);
    expect(await refused.json()).toEqual({
      accepted: 0,
      errors: [{ message: expect.stringContaining('API Key not permitted action "event:write"') }],
    });
    expect(apmServer.ledger.refused).toHaveLength(1);
  });

  test('asks for no permission when there is nothing to permit', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('reader', ['config_agent:read']);
    const apmServer = await startApmServer();
    expect((await sendEvents(apmServer, apiKey(key), [METADATA])).status).toBe(202);
    expect((await sendEvents(apmServer, apiKey(key), [])).status).toBe(202);
  });

  test('answers nonsense with 400', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('nonsense', ['event:write']);
    const apmServer = await startApmServer();
    expect((await sendEvents(apmServer, apiKey(key), ['not JSON'])).status).toBe(400);
    expect((await sendEvents(apmServer, apiKey(key), [TRANSACTION])).status).toBe(400);
  });

  test('answers text to those who do not accept JSON', async ({ startApmServer }) => {
    const refused = await sendEvents(await startApmServer(), { Accept: 'text/html' });
    expect(refused.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(JSON.parse(await refused.text())).toHaveProperty('error');
  });
});

test.describe('agent configuration', () => {
  test('is given to who may read it, by GET and POST', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('reader', ['config_agent:read']);
    const { url } = await startApmServer();
    const got = await fetch(`${url}/config/v1/agents?service.name=checkout`, { headers: apiKey(key) });
    expect(got.status).toBe(200);
    expect(await got.json()).toEqual({});
    expect(got.headers.get('cache-control')).toBe('max-age=30, must-revalidate');
    const posted = await fetch(`${url}/config/v1/agents`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...apiKey(key) },
      body: JSON.stringify({ service: { name: 'checkout' } }),
    });
    expect(posted.status).toBe(200);
    const again = await fetch(`${url}/config/v1/agents?service.name=checkout`, {
      headers: { 'If-None-Match': got.headers.get('etag') ?? '', ...apiKey(key) },
    });
    expect(again.status).toBe(304);
  });

  test('is refused with the privilege that is missing', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('writer', ['event:write']);
    const { url } = await startApmServer();
    const refused = await fetch(`${url}/config/v1/agents?service.name=checkout`, { headers: apiKey(key) });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toEqual({
      error: 'unauthorized: API Key not permitted action "config_agent:read"',
    });
  });

  test('wants the key first, then the service name, then the permission', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('writer', ['event:write']);
    const { url } = await startApmServer();
    expect((await fetch(`${url}/config/v1/agents`)).status).toBe(401);
    expect((await fetch(`${url}/config/v1/agents`, { headers: apiKey(key) })).status).toBe(400);
  });
});

test.describe('OpenTelemetry', () => {
  const json = {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'checkout' } }] },
        scopeSpans: [{ spans: [{ name: 'GET /' }] }],
      },
    ],
  };
  const bytes = (text: string): Buffer<ArrayBuffer> => Buffer.from(text);
  const protobuf = lengthDelimited(
    1,
    Buffer.concat([
      lengthDelimited(
        1,
        lengthDelimited(
          1,
          Buffer.concat([
            lengthDelimited(1, bytes('service.name')),
            lengthDelimited(2, lengthDelimited(1, bytes('checkout'))),
          ]),
        ),
      ),
      lengthDelimited(2, lengthDelimited(2, lengthDelimited(5, bytes('GET /')))),
    ]),
  );

  for (const [form, type, body] of [
    ['protobuf', 'application/x-protobuf', protobuf],
    ['JSON', 'application/json', bytes(JSON.stringify(json))],
  ] as const) {
    test(`spans in ${form} are accepted`, async ({ app, startApmServer }) => {
      const key = await app.engine.createAgentKey('spans', ['event:write']);
      const apmServer = await startApmServer();
      const accepted = await fetch(`${apmServer.url}/v1/traces`, {
        method: 'POST',
        headers: { 'Content-Type': type, ...apiKey(key) },
        body,
      });
      expect(accepted.status).toBe(200);
      expect(accepted.headers.get('content-type')).toBe(type);
      expect(apmServer.ledger.accepted).toEqual([
        expect.objectContaining({ service: 'checkout', events: [{ kind: 'span', name: 'GET /' }] }),
      ]);
    });
  }

  test('a missing privilege is a 500 that says so', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('reader', ['config_agent:read']);
    const { url } = await startApmServer();
    const refused = await fetch(`${url}/v1/traces`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-protobuf', ...apiKey(key) },
      body: protobuf,
    });
    expect(refused.status).toBe(500);
    expect(refused.headers.get('content-type')).toBe('application/x-protobuf');
    const status = Buffer.from(await refused.arrayBuffer());
    // google.rpc.Status: field 1 is the code, and 2 means unknown.
    expect([...status.subarray(0, 2)]).toEqual([8, 2]);
    expect(status.toString('utf8')).toContain('not permitted action "event:write"');
  });

  test('no spans need no privilege', async ({ app, startApmServer }) => {
    const key = await app.engine.createAgentKey('reader', ['config_agent:read']);
    const { url } = await startApmServer();
    for (const signal of ['traces', 'metrics', 'logs']) {
      const accepted = await fetch(`${url}/v1/${signal}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-protobuf', ...apiKey(key) },
        body: Buffer.alloc(0),
      });
      expect(accepted.status, signal).toBe(200);
    }
  });

  test('strangers are refused in words, not in protobuf', async ({ startApmServer }) => {
    const { url } = await startApmServer();
    const refused = await fetch(`${url}/v1/traces`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-protobuf' },
      body: protobuf,
    });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('content-type')).toBe('application/json');
  });
});

test('an unknown path is 404, with a key or without', async ({ app, startApmServer }) => {
  const key = await app.engine.createAgentKey('lost', ['event:write']);
  const { url } = await startApmServer();
  for (const headers of [{}, apiKey(key)]) {
    const missing = await fetch(`${url}/v1/profiles`, { headers });
    expect(missing.status).toBe(404);
    expect(await missing.json()).toEqual({ error: '404 page not found' });
  }
});

import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { apiKey, expect, sendEvents, test as base } from './fixtures';

interface Asked {
  line: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** An Elasticsearch that answers what it is told to and remembers the questions. */
interface Oracle {
  url: string;
  asked: Asked[];
  /** The statuses of the answers to come; the last one repeats. */
  statuses: number[];
}

const YES = JSON.stringify({
  username: 'somebody',
  application: { apm: { '-': { 'config_agent:read': true, 'event:write': true, 'sourcemap:write': false } } },
});

const test = base.extend<{ oracle: Oracle }>({
  oracle: async ({}, use) => {
    const oracle: Oracle = { url: '', asked: [], statuses: [200] };
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString('utf8')));
      request.on('end', () => {
        oracle.asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
        const status = oracle.statuses.length > 1 ? oracle.statuses.shift()! : oracle.statuses[0]!;
        // Without X-Elastic-Product on purpose: APM Server does not look at it.
        response.writeHead(status, { 'Content-Type': 'application/json' });
        response.end(status === 200 ? YES : '{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    oracle.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await use(oracle);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  },
});

const KEY = { encoded: Buffer.from('some-id:some-secret').toString('base64') };

test('the question is the one APM Server asks, to the byte', async ({ oracle, startApmServer }) => {
  await sendEvents(await startApmServer({ elasticsearch: oracle.url }), apiKey(KEY));
  expect(oracle.asked).toHaveLength(1);
  const [{ line, headers, body }] = oracle.asked as [Asked];
  expect(line).toBe('GET /_security/user/_has_privileges');
  expect(body).toBe(
    '{"application":[{"application":"apm",' +
      '"privileges":["config_agent:read","event:write","sourcemap:write"],"resources":["-"]}]}',
  );
  expect(headers).toMatchObject({
    authorization: `ApiKey ${KEY.encoded}`,
    'content-type': 'application/json',
    'x-elastic-product-origin': 'observability',
    'user-agent': expect.stringMatching(/^Elastic-APM-Server\/\S+ go-elasticsearch\/\S+$/),
  });
  expect(headers).not.toHaveProperty('accept');
});

test('a good answer is asked for once in a lifetime', async ({ clock, oracle, startApmServer }) => {
  const apmServer = await startApmServer({ elasticsearch: oracle.url });
  for (let time = 0; time < 3; time += 1) await sendEvents(apmServer, apiKey(KEY));
  expect(oracle.asked).toHaveLength(1);
  clock.pass(60_000);
  await sendEvents(apmServer, apiKey(KEY));
  expect(oracle.asked).toHaveLength(2);
});

test('a 401 is remembered like a good answer', async ({ oracle, startApmServer }) => {
  oracle.statuses = [401, 200];
  const apmServer = await startApmServer({ elasticsearch: oracle.url });
  expect((await sendEvents(apmServer, apiKey(KEY))).status).toBe(401);
  expect((await sendEvents(apmServer, apiKey(KEY))).status).toBe(401);
  expect(oracle.asked).toHaveLength(1);
});

test('any other failure is not remembered and not retried', async ({ oracle, startApmServer }) => {
  oracle.statuses = [500, 403, 200];
  const apmServer = await startApmServer({ elasticsearch: oracle.url });
  expect((await sendEvents(apmServer, apiKey(KEY))).status).toBe(503);
  expect(oracle.asked).toHaveLength(1);
  expect((await sendEvents(apmServer, apiKey(KEY))).status).toBe(503);
  expect((await sendEvents(apmServer, apiKey(KEY))).status).toBe(202);
  expect(oracle.asked).toHaveLength(3);
});

test('a 429 is retried', async ({ oracle, startApmServer }) => {
  oracle.statuses = [429, 429, 200];
  expect((await sendEvents(await startApmServer({ elasticsearch: oracle.url }), apiKey(KEY))).status).toBe(202);
  expect(oracle.asked).toHaveLength(3);
});

test('a header that cannot be a key is not worth a question', async ({ oracle, startApmServer }) => {
  await sendEvents(await startApmServer({ elasticsearch: oracle.url }), { Authorization: 'ApiKey nonsense!' });
  expect(oracle.asked).toHaveLength(0);
});

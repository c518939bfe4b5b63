import { gzipSync } from 'node:zlib';
import type { FakeApmServer } from '../server';

export { expect, test } from '../../fixtures/fake-apm-server';

export const METADATA = JSON.stringify({ metadata: { service: { name: 'checkout' } } });

export const TRANSACTION = JSON.stringify({
  transaction: { id: '0123456789abcdef', trace_id: '0'.repeat(32), type: 'request', name: 'GET /', duration: 1 },
});

export function apiKey(key: { encoded: string }): { Authorization: string } {
  return { Authorization: `ApiKey ${key.encoded}` };
}

/** The same key id with a secret that was never right. */
export function withWrongSecret(key: { id: string }): { Authorization: string } {
  return apiKey({ encoded: Buffer.from(`${key.id}:${'x'.repeat(22)}`).toString('base64') });
}

export function sendEvents(
  apmServer: FakeApmServer,
  headers: Record<string, string>,
  lines: string[] = [METADATA, TRANSACTION],
  query = '',
): Promise<Response> {
  return fetch(`${apmServer.url}/intake/v2/events${query}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson', 'Content-Encoding': 'gzip', ...headers },
    body: gzipSync(lines.join('\n')),
  });
}

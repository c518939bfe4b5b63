import { request } from 'node:http';
import { QUESTION, readGranted, type Granted } from './privileges';

export type Answer =
  | { status: 200; granted: Granted }
  /** Elasticsearch does not accept the key. */
  | { status: 401 }
  /** Everything else, which says nothing about the key. */
  | { status: 'failed'; why: string };

const TIMEOUT_MS = 5_000;
const RETRIES = 3;
const BACKOFF_MS = 50;

/**
 * Asks Elasticsearch what the bearer of `token` may do.
 *
 * A GET with a body: `fetch` refuses to send one, so this is node's own HTTP.
 * Retried on transport errors and on 429 alone, as APM Server does.
 */
export async function askElasticsearch(base: string, token: string): Promise<Answer> {
  let last: Answer = { status: 'failed', why: 'never asked' };
  for (let attempt = 0; attempt <= RETRIES; attempt += 1) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, BACKOFF_MS * attempt));
    try {
      const { status, body } = await ask(base, token);
      if (status === 200) return { status: 200, granted: readGranted(JSON.parse(body)) };
      if (status === 401) return { status: 401 };
      last = { status: 'failed', why: `Elasticsearch answered ${status}` };
      if (status !== 429) return last;
    } catch (error) {
      last = { status: 'failed', why: String(error) };
    }
  }
  return last;
}

function ask(base: string, token: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(
      new URL('/_security/user/_has_privileges', base),
      {
        method: 'GET',
        timeout: TIMEOUT_MS,
        headers: {
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(QUESTION),
          Authorization: `ApiKey ${token}`,
          'X-Elastic-Product-Origin': 'observability',
          'User-Agent': 'Elastic-APM-Server/9.5.0 go-elasticsearch/8.19.0',
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
        );
      },
    );
    asking.on('timeout', () => asking.destroy(new Error('Elasticsearch did not answer in time')));
    asking.on('error', reject);
    asking.end(QUESTION);
  });
}

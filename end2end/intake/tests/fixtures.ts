import { gzipSync } from 'node:zlib';
import { test as base } from '../../fixtures/app';
import type { AuthorizerOptions } from '../authorizer';
import { Intake } from '../server';

/** A clock that moves when a test says so. */
export class Clock {
  ms = 1_000_000;

  readonly now = (): number => this.ms;

  pass(ms: number): void {
    this.ms += ms;
  }
}

interface Fixtures {
  clock: Clock;
  /** Starts an intake in front of the engine; it ends with the test. */
  startIntake(options?: Partial<AuthorizerOptions>): Promise<Intake>;
}

export const test = base.extend<Fixtures>({
  clock: async ({}, use) => use(new Clock()),

  startIntake: async ({ app, clock }, use) => {
    const started: Intake[] = [];
    await use(async (options) => {
      const intake = await Intake.start({ elasticsearch: app.engineUrl, now: clock.now, ...options });
      started.push(intake);
      return intake;
    });
    for (const intake of started) await intake.stop();
  },
});

export { expect } from '@playwright/test';

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
  intake: Intake,
  headers: Record<string, string>,
  lines: string[] = [METADATA, TRANSACTION],
  query = '',
): Promise<Response> {
  return fetch(`${intake.url}/intake/v2/events${query}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson', 'Content-Encoding': 'gzip', ...headers },
    body: gzipSync(lines.join('\n')),
  });
}

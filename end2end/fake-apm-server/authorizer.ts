import { Cache } from './cache';
import { MISSING_HEADER, readCredentials } from './credentials';
import { askElasticsearch } from './elasticsearch';
import { PRIVILEGES, type Granted } from './privileges';

export type Authorization =
  | { as: 'authenticated'; granted: Granted; keyId?: string }
  /** 401 to the agent. */
  | { as: 'refused'; reason: string; keyId?: string }
  /** 503 to the agent: nobody could tell whether the key is good. */
  | { as: 'unavailable'; why: string; keyId?: string };

export interface AuthorizerOptions {
  elasticsearch: string;
  /** How long an answer is believed; APM Server's is 60 seconds. */
  cacheLifetimeMs?: number;
  /** `apm-server.auth.api_key.limit`, 100 unless it is set. */
  limit?: number;
  secretToken?: string;
  now?: () => number;
}

/** Decides who may send, exactly as APM Server decides it. */
export class Authorizer {
  readonly #cache: Cache;
  readonly #options: AuthorizerOptions;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
    this.#cache = new Cache(options.cacheLifetimeMs ?? 60_000, options.limit ?? 100, options.now ?? Date.now);
  }

  async authorize(header: string | undefined): Promise<Authorization> {
    const credentials = readCredentials(header);
    switch (credentials.kind) {
      case 'none':
        return { as: 'refused', reason: `authentication failed: ${MISSING_HEADER}` };
      case 'unusable':
        return { as: 'refused', reason: `authentication failed: ${credentials.reason}` };
      case 'bearer':
        return credentials.token === this.#options.secretToken
          ? { as: 'authenticated', granted: new Set(PRIVILEGES) }
          : { as: 'refused', reason: 'authentication failed' };
      case 'api key':
        return this.#authorizeKey(credentials.id, credentials.token);
    }
  }

  async #authorizeKey(id: string, token: string): Promise<Authorization> {
    const remembered = this.#cache.lookUp(id);
    if (remembered !== undefined) return decide(id, remembered);
    if (this.#cache.full) return { as: 'unavailable', why: 'api_key limit reached', keyId: id };

    const answer = await askElasticsearch(this.#options.elasticsearch, token);
    switch (answer.status) {
      case 200:
        this.#cache.remember(id, answer.granted);
        return decide(id, answer.granted);
      case 401:
        this.#cache.remember(id, 'refused');
        return decide(id, 'refused');
      case 'failed':
        // Nothing is remembered: the next request asks again.
        return { as: 'unavailable', why: answer.why, keyId: id };
    }
  }
}

/** A key that may do nothing at all counts as no key: 401, not 403. */
function decide(keyId: string, remembered: Granted | 'refused'): Authorization {
  return remembered === 'refused' || remembered.size === 0
    ? { as: 'refused', reason: 'authentication failed', keyId }
    : { as: 'authenticated', granted: remembered, keyId };
}

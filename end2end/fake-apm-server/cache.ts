import type { Granted } from './privileges';

/** `refused` remembers that Elasticsearch answered 401. */
export type Remembered = Granted | 'refused';

/**
 * APM Server's memory of keys, with its two peculiarities, because people who
 * run it meet both.
 *
 * It is kept by key id alone, so the first secret seen with an id decides for
 * every secret with that id until the entry expires. And an expired entry is
 * dropped only when its own id is looked up again, so the limit counts keys
 * that nobody uses any more.
 */
export class Cache {
  readonly #entries = new Map<string, { remembered: Remembered; until: number }>();

  constructor(
    private readonly lifetimeMs: number,
    private readonly limit: number,
    private readonly now: () => number,
  ) {}

  lookUp(id: string): Remembered | undefined {
    const entry = this.#entries.get(cacheKey(id));
    if (entry === undefined) return undefined;
    if (entry.until > this.now()) return entry.remembered;
    this.#entries.delete(cacheKey(id));
    return undefined;
  }

  /** The lifetime is fixed: a hit does not make an entry live longer. */
  remember(id: string, remembered: Remembered): void {
    this.#entries.set(cacheKey(id), { remembered, until: this.now() + this.lifetimeMs });
  }

  get full(): boolean {
    return this.#entries.size >= this.limit;
  }
}

function cacheKey(id: string): string {
  return `${id}_-`;
}

import type { AgentEvent } from './ndjson';

/** One request that carried, or wanted to carry, events. */
export interface Delivery {
  path: string;
  status: number;
  keyId: string | undefined;
  service: string;
  events: AgentEvent[];
}

/**
 * Remembers what came in and what was turned away, so that a test can wait for
 * a delivery instead of for a length of time.
 */
export class Ledger {
  readonly deliveries: Delivery[] = [];
  readonly #waiting = new Set<() => void>();

  write(delivery: Delivery): void {
    this.deliveries.push(delivery);
    for (const look of this.#waiting) look();
  }

  get accepted(): Delivery[] {
    return this.deliveries.filter(({ status }) => status < 300);
  }

  get refused(): Delivery[] {
    return this.deliveries.filter(({ status }) => status >= 300);
  }

  /** Resolves with the first delivery that fits, whether past or still to come. */
  waitFor(what: string, fits: (delivery: Delivery) => boolean, timeoutMs = 20_000): Promise<Delivery> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.deliveries.find(fits);
        if (found === undefined) return;
        stop();
        resolve(found);
      };
      const late = setTimeout(() => {
        stop();
        reject(new Error(`${what} did not come in. What did: ${JSON.stringify(this.deliveries, null, 1)}`));
      }, timeoutMs);
      const stop = (): void => {
        clearTimeout(late);
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

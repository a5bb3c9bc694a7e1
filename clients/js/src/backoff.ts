/**
 * How long to wait before the next attempt: full jitter from the first one on, so that clients that lost their sockets
 * together do not come back together.
 */

export interface BackoffOptions {
  /** The bound of the first delay, in milliseconds. Default: 500. */
  first?: number;
  /** The bound of the first delay if the close code says "after a delay". Default: 5,000. */
  later?: number;
  /** The highest bound. Default: 30,000. */
  max?: number;
  /** How long a connection must have lasted for the next delay to count as the first again. Default: 10,000. */
  settledAfter?: number;
}

export class Backoff {
  /** How many there were since a connection lasted. */
  attempts = 0;
  readonly #options: Required<BackoffOptions>;

  constructor(options?: BackoffOptions) {
    this.#options = { first: 500, later: 5_000, max: 30_000, settledAfter: 10_000, ...options };
  }

  /** The delay before the next attempt. */
  delay(hurry: "now" | "later"): number {
    const { first, later, max } = this.#options;
    const bound = Math.min((hurry === "now" ? first : later) * 2 ** this.attempts++, max);
    return Math.random() * bound;
  }

  /** A connection has ended that lasted so long. */
  lasted(time: number): void {
    if (time >= this.#options.settledAfter) this.attempts = 0;
  }
}

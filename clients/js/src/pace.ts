/**
 * How fast frames may leave: so many at once, and after that at a steady pace. Both are less than the server allows
 * (`client.frames_burst`, `client.frames_per_second`), which closes the sessions of clients that know no bounds.
 */

export interface PaceOptions {
  /** How many frames may go at once. Default: 150. */
  burst?: number;
  /** How many go each second after that. Default: 40. */
  perSecond?: number;
}

export class Pace {
  /** What one frame costs, in milliseconds. */
  readonly #cost: number;
  /** How much may be owed. */
  readonly #credit: number;
  /** When all that has gone is paid for. */
  #paidAt = 0;

  constructor({ burst = 150, perSecond = 40 }: PaceOptions = {}) {
    this.#cost = 1_000 / perSecond;
    this.#credit = burst * this.#cost;
  }

  /** Takes leave for one frame: 0 or less; or for how many milliseconds there is none. */
  take(): number {
    const now = Date.now();
    const paidAt = Math.max(now, this.#paidAt) + this.#cost;
    const wait = paidAt - now - this.#credit;
    if (wait <= 0) this.#paidAt = paidAt;
    return wait;
  }

  /** Nothing goes for so long. */
  pause(ms: number): void {
    this.#paidAt = Date.now() + this.#credit + ms;
  }
}

/**
 * A clock that a test turns. (That of node:test in Node.js 20 stops other timers when one is cleared that has run already.)
 */

const REAL_TIMERS = { setTimeout, clearTimeout };
const REAL_NOW = Date.now;

export class Clock {
  #now = 1_000_000;
  #named = 0;
  readonly #timers = new Map<number, { at: number; run: () => void }>();

  /** Takes the place of the real one. */
  install(): this {
    const set = (run: () => void, ms = 0) => {
      this.#timers.set(++this.#named, { at: this.#now + Math.max(0, ms), run });
      return this.#named;
    };
    Object.assign(globalThis, { setTimeout: set, clearTimeout: (timer: number) => this.#timers.delete(timer) });
    Date.now = () => this.#now;
    return this;
  }

  uninstall(): void {
    Object.assign(globalThis, REAL_TIMERS);
    Date.now = REAL_NOW;
  }

  /** So much time passes, and what is due runs in its order. */
  tick(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= until);
      const [first] = due.sort(([a, { at }], [b, other]) => at - other.at || a - b);
      if (!first) break;
      this.#timers.delete(first[0]);
      this.#now = Math.max(this.#now, first[1].at);
      first[1].run();
    }
    this.#now = until;
  }
}

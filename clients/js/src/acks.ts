/** When to acknowledge: seldom enough to be cheap, soon enough for the server to keep little. */

import type { Connection } from "./connection.js";
import { isHidden } from "./page.js";

const MESSAGES_MAX = 256;
const BYTES_MAX = 65_536;

export class Acks {
  /** How long the first message that is not acknowledged may wait. */
  #within = 0;
  #acknowledged = 0;
  #dealt = 0;
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #wire: Pick<Connection, "send">;

  constructor(wire: Pick<Connection, "send">) {
    this.#wire = wire;
  }

  /** A connection begins: what was dealt with before was acknowledged by its handshake. */
  begin(ackWithinMs: number, dealt: number): void {
    this.end();
    this.#within = ackWithinMs / 2;
    this.#acknowledged = this.#dealt = dealt;
  }

  /** A frame of the stream has come. */
  received(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Everything up to an offset has been dealt with. */
  dealt(offset: number): void {
    this.#dealt = offset;
    const isMuch = offset - this.#acknowledged >= MESSAGES_MAX || this.#bytes >= BYTES_MAX;
    // In a page that nobody sees timers come late.
    if (isMuch || isHidden()) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#within);
  }

  /** Acknowledges at once, if there is anything. */
  flush(): void {
    this.end();
    if (this.#dealt <= this.#acknowledged) return;
    this.#acknowledged = this.#dealt;
    this.#wire.send(JSON.stringify({ type: "ack", offset: this.#dealt }));
  }

  /** The connection has ended. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#bytes = 0;
  }
}

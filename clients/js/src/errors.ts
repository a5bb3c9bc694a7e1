/** What was not done, and why. */

/**
 * Why: a code of the server (docs/client-protocol.md), or one of this library.
 *
 * - `closed`: the socket was closed for good before it was sent. It was not done.
 * - `queue_full`: too much waits to be sent. It was not done.
 * - `not_connected`: it is volatile, and there is no connection. It was not done.
 * - `not_supported`: there is no such thing without the subprotocol.
 * - `outcome_unknown`: it was sent, and no answer came. It may have been done.
 */
export type ErrorCode = "closed" | "queue_full" | "not_connected" | "not_supported" | "outcome_unknown" | (string & {});

export class RingwayError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string = code) {
    super(message);
    this.code = code;
  }
}

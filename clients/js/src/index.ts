/** ringway's client for browsers and Node.js: {@link connect}. */

import type { Options } from "./options.js";
import { Socket } from "./socket.js";
import type { Topics } from "./types.js";

/** Connects, and stays connected for as long as the server agrees. */
export function connect<T extends object = Topics>(url: string | URL, options: Options = {}): Socket<T> {
  return new Socket<T>(url, options);
}

export { RingwayError, type ErrorCode } from "./errors.js";
export type { BackoffOptions } from "./backoff.js";
export type { Options, Token } from "./options.js";
export type { PaceOptions } from "./pace.js";
export type { QueueOptions } from "./requests.js";
export type { Missed } from "./stream.js";
export type { Socket } from "./socket.js";
export type { Events, Message, Receipt, Recipient, SendOptions, State, Target, Topics } from "./types.js";
export type { PresenceHandler } from "./watches.js";

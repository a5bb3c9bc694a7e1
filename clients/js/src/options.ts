/** What a socket's behaviour depends on. */

import type { BackoffOptions } from "./backoff.js";
import type { PaceOptions } from "./pace.js";
import type { QueueOptions } from "./requests.js";

/** The token, or a function that gets one; of nothing it is told that the user is signed out. */
export type Token = string | (() => string | null | undefined | Promise<string | null | undefined>);

export interface Options {
  /**
   * Who the user is. A function is asked before the first handshake, when the server wants another token, and after a
   * handshake that failed, since a browser hides why.
   */
  token?: Token;
  /** `v1`: `ringway.v1.json`; `raw`: no subprotocol, texts `{topic, data}`, and nothing but that. Default: `v1`. */
  protocol?: "v1" | "raw";
  /** Where the handshake says the token. Default: `subprotocol`, where no proxy logs it; with `raw`: `query`. */
  tokenIn?: "subprotocol" | "query";
  /** Whether a message is acknowledged when its handlers have returned, or by its `ack()`. Default: `automatic`. */
  ack?: "automatic" | "manual";
  /** A name for the device, which has a position of its own in the user's mailbox. */
  device?: string;
  /** The place in the user's mailbox up to which this device has everything, if it has kept one ({@link Socket.place}). */
  mailbox?: string;
  /** How much may wait to be sent. */
  queue?: QueueOptions;
  /** How fast messages leave. */
  pace?: PaceOptions;
  /** How long is waited before the next attempt. */
  backoff?: BackoffOptions;
  /** How long the token, the handshake and the welcome may take, each, in milliseconds. Default: 10,000. */
  timeout?: number;
  /**
   * After so many milliseconds without a word the server is asked for one, unless the page is hidden; 0: never.
   * Default: 30,000.
   */
  heartbeat?: number;
  /** Says what happens, on the console or to a function: no tokens, no contents. */
  debug?: boolean | ((...words: unknown[]) => void);
  /** The implementation of WebSocket. Default: the global one. */
  WebSocket?: typeof WebSocket;
}

/** What applications see. */

import type { RingwayError } from "./errors.js";
import type { Missed } from "./stream.js";

/** What topics there are, and what their messages say. */
export type Topics = Record<string, any>;

export type State = "connecting" | "open" | "waiting" | "closed";

/** A message. */
export interface Message<Data = any> {
  /** What it is about; `""` for nothing. */
  readonly topic: string;
  /** What it says: any JSON value, or a `Uint8Array`. */
  readonly data: Data;
  /** The sender's id of it. */
  readonly id?: string;
  /** The user from whom it is. The cluster vouches for that. */
  readonly from?: string;
  /** Its number in the session's stream. */
  readonly offset?: number;
  /** Its place in the user's mailbox, if it is stored there. */
  readonly stored?: string;
  /** Says that it was dealt with. Needed with the option `ack: "manual"` only, and harmless otherwise. */
  ack(): void;
}

/** What happens to a socket, by name. */
export interface Events {
  /** An attempt begins: the first, the second, … since the last connection. */
  connecting: { attempt: number };
  /** A connection stands. */
  open: { session: string | undefined };
  /** It is not the first one. Unless it recovered, messages may be missing: load anew what they would have changed. */
  resumed: { recovered: boolean };
  /** A connection has ended, or an attempt has failed. */
  closed: { willRetry: boolean; reason: string; code: number; delay: number };
  /** Messages that will not come any more, by their offsets. */
  missed: Missed;
  /** From where on in the mailbox messages come; unless it recovered, some may be missing. */
  mailbox: { place: string; recovered: boolean };
  /** Something that was asked of the server was not done. */
  error: RingwayError;
}

/** What became of a message to others. */
export interface Receipt {
  /** `delivered`, `no_session`, `suspended`, `overflowed`, or a word that is newer than this library. */
  outcome: string;
  /** To how many sessions it is on its way. */
  sessions: number;
  id: string;
}

export interface SendOptions {
  /** Whether it is for this moment or not at all: it does not wait for a connection. */
  volatile?: boolean;
}

/** To whom a message goes. */
export type Target = { user: string } | { group: string };

/** Somebody to send to. */
export interface Recipient<T extends object = Topics> {
  send<K extends keyof T & string>(
    topic: K,
    data: T[K],
    options?: SendOptions & { /** Its id, at most 128 bytes. */ id?: string },
  ): Promise<Receipt>;
}

export type MessageHandler<Data> = (data: Data, message: Message<Data>) => void;

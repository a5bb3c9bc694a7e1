/**
 * The frames of `ringway.v1.json` (docs/client-protocol.md): what a server says, read and checked; and what a message of
 * ours looks like. Members that are not known stay where they are, and types that are not known are nothing: a server may
 * be newer.
 */

export const SUBPROTOCOL = "ringway.v1.json";

export interface WelcomeFrame {
  type: "welcome";
  session: string;
  resume: string;
  epoch: string;
  offset: number;
  recovered: boolean;
  resume_window_ms: number;
  ack_within_ms: number;
}

export interface MessageFrame {
  type: "message";
  offset: number;
  id: string;
  topic?: string;
  stored?: string;
  from?: string;
  data?: unknown;
  base64?: string;
}

export interface MailboxFrame {
  type: "mailbox";
  offset: number;
  place: string;
  recovered: boolean;
}

export interface PresenceFrame {
  type: "presence";
  users: { user: string; online: boolean }[];
}

export interface ReplyFrame {
  type: "reply";
  ref: string;
  outcome?: string;
  sessions?: number;
  id?: string;
}

export interface ErrorFrame {
  type: "error";
  ref?: string;
  code: string;
  message?: string;
}

export interface ReconnectFrame {
  type: "reconnect";
  delay_ms: number;
}

export type ServerFrame =
  | WelcomeFrame
  | MessageFrame
  | MailboxFrame
  | PresenceFrame
  | ReplyFrame
  | ErrorFrame
  | ReconnectFrame;

/**
 * Reads a frame of the server. One that is not what it should be comes up where it is used; nothing is made of it.
 *
 * @throws if it is no frame.
 */
export function readFrame(text: string): ServerFrame {
  const frame = JSON.parse(text);
  const isContentRight = frame.type !== "message" || "data" in frame !== "base64" in frame;
  if (typeof frame.type !== "string" || !isContentRight) throw Error("no frame");
  return frame;
}

/** What a message says: any JSON value, a text being a string; or bytes. */
export function contentOf(frame: MessageFrame): unknown {
  return frame.base64 === undefined ? frame.data : Uint8Array.from(atob(frame.base64), (byte) => byte.charCodeAt(0));
}

/** The members of a frame that carry this content. */
export function content(data: unknown): { data: unknown } | { base64: string } {
  if (!(data instanceof Uint8Array)) return { data: data ?? null };
  return { base64: btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join("")) };
}

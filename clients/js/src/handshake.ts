/** What a handshake says: its address and its subprotocols. */

import { SUBPROTOCOL } from "./frames.js";
import type { Options } from "./options.js";

export type Parameter = readonly [name: string, value: string | undefined];

export function handshake(
  { href }: URL,
  { protocol, tokenIn }: Options,
  token: string | undefined,
  parameters: Parameter[],
): [url: string, subprotocols: string[]] {
  const isRaw = protocol === "raw";
  const isInQuery = tokenIn ? tokenIn === "query" : isRaw;
  if (isInQuery) parameters.push(["token", token]);
  for (const [name, value] of parameters) {
    if (value) href += `${href.includes("?") ? "&" : "?"}${name}=${encode(value)}`;
  }
  // A server never selects the token, and browsers drop a socket whose server selects nothing of what they offered.
  if (token && !isInQuery) return [href, [isRaw ? "ringway.raw" : SUBPROTOCOL, `token.${encode(token)}`]];
  return [href, isRaw ? [] : [SUBPROTOCOL]];
}

/** Percent-encoded for both places: no subprotocol may have a parenthesis in it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[()]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
}

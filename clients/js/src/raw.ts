/** What is said without the subprotocol: JSON texts `{topic, data}`, other texts, and bytes. */

import type { Payload } from "./connection.js";

/** Bytes go as they are, everything else with its topic. */
export function rawPayload(topic: string, data: unknown): Payload {
  return data instanceof Uint8Array ? (data as Uint8Array<ArrayBuffer>) : JSON.stringify({ topic, data });
}

/** What is no `{topic, data}` has no topic, and is given as it came. */
export function readRaw(payload: string | ArrayBuffer): { topic: string; data: unknown } {
  if (typeof payload !== "string") return { topic: "", data: new Uint8Array(payload) };
  try {
    const { topic, data } = JSON.parse(payload);
    if (typeof topic === "string") return { topic, data };
  } catch {
    // It is some other text.
  }
  return { topic: "", data: payload };
}

/** What a close code asks of a client (docs/close-codes.md). */

export type Advice = "now" | "later" | "token" | "never";

const ADVICE: [Advice, RegExp][] = [
  ["now", /^(100[156]|1012)$/],
  ["token", /^43..$/],
  ["never", /^(100[0278]|44..)$/],
];

export function advice(code: number): Advice {
  return ADVICE.find(([, codes]) => codes.test(`${code}`))?.[0] ?? "later";
}

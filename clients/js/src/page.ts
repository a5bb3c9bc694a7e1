/** What a page is told of its network and of whether anybody sees it. Outside of a page nothing is ever told. */

/**
 * - `wake`: the network is back, or the page is seen again; what was put off is worth a try now.
 * - `offline`: the network is gone, as far as the browser knows.
 * - `hide`: nobody sees the page, and its timers come late from now on.
 */
export type PageEvent = "wake" | "offline" | "hide";

const EVENTS = ["online", "offline", "visibilitychange"];

/** Listens until it is aborted. */
export function listenToPage(onEvent: (event: PageEvent) => void): AbortController {
  const controller = new AbortController();
  const listener = ({ type }: Event) => onEvent(type === "offline" ? type : isHidden() ? "hide" : "wake");
  for (const event of EVENTS) globalThis.addEventListener?.(event, listener, { signal: controller.signal });
  return controller;
}

export function isHidden(): boolean {
  return !!globalThis.document?.hidden;
}

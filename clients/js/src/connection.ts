/**
 * That there is a connection: the state machine over all the connections of a socket. It knows tokens, close codes, delays
 * and silence, and nothing of what is said.
 *
 * ```text
 * closed -> waiting -> connecting -> open -> waiting | closed
 *                          |
 *                          +--------------> waiting | closed
 * ```
 */

import { advice } from "./advice.js";
import { Backoff } from "./backoff.js";
import { handshake, type Parameter } from "./handshake.js";
import type { Options } from "./options.js";
import { isHidden, listenToPage } from "./page.js";
import type { Events, State } from "./types.js";

/** So many sockets that went silent are kept at the most. */
const SILENT_MAX = 3;
/** The longest delay that a server may ask for. */
const DELAY_MAX = 3_600_000;

export type Payload = string | Uint8Array<ArrayBuffer>;

/** Who talks over it. */
export interface Talker {
  /** The handshake has succeeded, with this subprotocol. */
  onOpen(subprotocol: string): void;
  onData(data: string | ArrayBuffer): void;
  /** What the next handshake says beside the token. */
  parameters(): Parameter[];
  /** There is no connection any more; there may be another one. */
  onDown(told: Events["closed"]): void;
  /** Nobody sees the page any more. */
  onHide(): void;
  /** Asks the server for a word; that none comes is told by {@link Connection.silent}. */
  probe(): void;
  /** An attempt begins. */
  onConnecting(told: Events["connecting"]): void;
}

export class Connection {
  state: State = "closed";
  /** The present one. Nothing is heard of any other. */
  #socket: WebSocket | undefined;
  /** Those that went silent: closed only when another one stands, since to close a socket is to say goodbye. */
  readonly #silent: WebSocket[] = [];
  #token: string | null | undefined;
  #openedAt = 0;
  /** When the server last said anything. */
  #heardAt = 0;
  /** What the server asked for before it closes the connection. */
  #delayAsked: number | undefined;
  /** Whether the delay may be cut short: nobody asked for it. */
  #isImpatient: boolean | undefined;
  /** The end of the present state, if nothing else ends it; while open, the next heartbeat. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #page: AbortController | undefined;
  readonly #backoff: Backoff;
  readonly #url: URL;
  readonly #options: Options;
  readonly #talker: Talker;

  constructor(url: string | URL, options: Options, talker: Talker) {
    this.#url = new URL(url, globalThis.location?.href);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#options = options;
    this.#talker = talker;
    this.#backoff = new Backoff(options.backoff);
  }

  /** Closed | waiting -> waiting, for a moment only */
  begin(): void {
    if (this.state === "closed") {
      this.#page = listenToPage((event) => {
        if (event === "hide") this.#talker.onHide();
        else if (event === "wake" && this.state === "waiting") this.#hurry();
        else if (this.state === "open") this.#talker.probe();
      });
    }
    if (this.state === "closed" || this.state === "waiting") this.#wait(0);
  }

  send(data: Payload): void {
    // A socket that has begun to close takes nothing; whoever waits for an answer is told when it is closed.
    if (this.#socket?.readyState === 1) this.#socket.send(data);
  }

  /** Connecting -> open: the server has taken us in. */
  up(): void {
    this.#enter("open");
    this.#openedAt = Date.now();
    this.#closeSilent();
    this.#beat();
  }

  /** The server will close the connection, and asks not to come back sooner. */
  delay(ms: number): void {
    this.#delayAsked = Math.min(ms, DELAY_MAX);
  }

  /** Open -> waiting, if the server has said nothing since then. */
  silent(since: number): void {
    if (this.state === "open" && this.#heardAt <= since) this.#giveUp();
  }

  /** Any -> waiting | closed */
  down(code: number, reason: string, asked: "now" | "later" | "never" = "never"): void {
    const willRetry = asked !== "never";
    const socket = this.#socket;
    let delay = 0;
    this.#socket = undefined;
    if (willRetry) {
      if (this.state === "open") this.#backoff.lasted(Date.now() - this.#openedAt);
      // The server spreads its clients itself.
      delay = this.#delayAsked ?? this.#backoff.delay(asked);
      this.#isImpatient = this.#delayAsked === undefined && asked === "now";
      this.#wait(delay);
    } else {
      this.#enter("closed");
      socket?.close(1000);
      this.#closeSilent();
      this.#page?.abort();
      this.#token = undefined;
    }
    this.#talker.onDown({ willRetry, reason, code, delay });
  }

  /** Waiting -> connecting -> connecting, with a handshake under way | waiting | closed */
  async #connect(): Promise<void> {
    const { token } = this.#options;
    this.#enter("connecting");
    this.#delayAsked = undefined;
    let timer = this.#within();
    this.#talker.onConnecting({ attempt: this.#backoff.attempts + 1 });
    try {
      const present = this.#token ?? (typeof token === "function" ? ((await token()) ?? null) : token);
      if (this.#timer !== timer) return; // This attempt has been given up meanwhile, and with it its token.
      this.#token = present;
      if (this.#token === null) return this.down(4300, "signed out");
      timer = this.#within();
      this.#open(this.#token);
    } catch (error) {
      if (this.#timer === timer) this.down(1006, String(error), "later");
    }
  }

  #open(token: string | undefined): void {
    const { WebSocket: implementation = WebSocket } = this.#options;
    const socket = new implementation(...handshake(this.#url, this.#options, token, this.#talker.parameters()));
    const ifPresent = <E>(act: (event: E) => void) => (event: E) => {
      if (this.#socket === socket) act(event);
    };
    // After a handshake that failed, Node.js 20 fires nothing but `error`. Where both come the first one counts.
    const onEnd = ({ code = 1006, reason = "" }: { code?: number; reason?: string }) => this.#closed(code, reason);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = ifPresent(() => {
      this.#within();
      this.#talker.onOpen(socket.protocol);
    });
    socket.onmessage = ifPresent(({ data }) => {
      this.#heardAt = Date.now();
      this.#talker.onData(data);
    });
    socket.onclose = socket.onerror = ifPresent<{}>(onEnd);
  }

  /** Connecting | open -> waiting | closed */
  #closed(code: number, reason: string): void {
    const isOpen = this.state === "open";
    const canRefresh = typeof this.#options.token === "function";
    const asked = advice(code);
    // Whatever was the matter with a handshake, a browser says 1006: it may have been the token.
    if (canRefresh && (asked === "token" || !isOpen)) this.#token = undefined;
    reason ||= isOpen ? "broken" : "unreachable";
    this.down(code, reason, asked !== "token" ? asked : canRefresh ? "now" : "never");
  }

  #wait(delay: number): void {
    this.#enter("waiting");
    this.#timer = setTimeout(() => void this.#connect(), delay);
  }

  /** The page is back from somewhere: whoever waits long waits anew. */
  #hurry(): void {
    if (!this.#isImpatient) return;
    this.#backoff.attempts = 0;
    this.#wait(this.#backoff.delay("now"));
  }

  #enter(state: State): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.state = state;
  }

  /** What is under way is given up if nothing happens in time. */
  #within(): unknown {
    clearTimeout(this.#timer);
    return (this.#timer = setTimeout(() => this.#giveUp(), this.#options.timeout ?? 10_000));
  }

  #giveUp(): void {
    if (this.#socket?.readyState) this.#silent.push(this.#socket);
    else this.#socket?.close(); // It is not open yet: nobody takes that for a goodbye.
    if (this.#silent.length > SILENT_MAX) this.#silent.shift()!.close();
    this.down(1006, "no answer", "now");
  }

  #closeSilent(): void {
    for (const socket of this.#silent.splice(0)) socket.close();
  }

  /** Asks a server for a word that was silent for long. */
  #beat(): void {
    const { heartbeat = 30_000 } = this.#options;
    if (!heartbeat) return;
    this.#timer = setTimeout(() => {
      if (Date.now() - this.#heardAt >= heartbeat && !isHidden()) this.#talker.probe();
      this.#beat();
    }, heartbeat);
  }
}

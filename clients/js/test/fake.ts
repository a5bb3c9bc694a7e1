/** A world without a network: sockets that a test plays the server of, and a clock that a test turns. */

import type { TestContext } from "node:test";
import { connect, type Events, type Options, type Socket } from "../src/index.js";
import { Clock } from "./clock.js";

export class FakeWebSocket {
  readyState = 0;
  protocol = "";
  binaryType = "";
  /** What the client has sent and the test has not looked at. */
  sent: any[] = [];
  closedWith: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(data: unknown): void {
    this.sent.push(typeof data === "string" ? JSON.parse(data) : data);
  }

  close(code?: number): void {
    this.closedWith = code ?? 1005;
    this.readyState = 2;
  }

  /** The handshake succeeds. */
  accept(protocol = this.protocols[0] ?? ""): void {
    this.protocol = protocol;
    this.readyState = 1;
    this.onopen?.();
  }

  /** The server says something. */
  say(data: object | string): void {
    this.onmessage?.({ data: typeof data === "string" ? data : JSON.stringify(data) });
  }

  bytes(data: Uint8Array<ArrayBuffer>): void {
    this.onmessage?.({ data: data.buffer });
  }

  drop(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** What the client has sent since the last look. */
  take(): any[] {
    return this.sent.splice(0);
  }
}

export interface World {
  socket: Socket;
  /** All sockets so far, the present one last. */
  sockets: FakeWebSocket[];
  /** The present one. */
  server: FakeWebSocket;
  /** What happened to the socket, in order. */
  told: [keyof Events, any][];
  tick(ms: number): Promise<void>;
  /** Lets the present socket succeed and be welcomed. */
  welcome(welcome?: object): void;
}

const EVENTS: (keyof Events)[] = ["connecting", "open", "resumed", "closed", "missed", "mailbox", "error"];

export const WELCOME = {
  type: "welcome",
  session: "cf45f1264f78b2f12ed06fd38220cede",
  resume: "r1",
  epoch: "e1",
  offset: 0,
  recovered: false,
  resume_window_ms: 30_000,
  ack_within_ms: 5_000,
};

/** A socket at its first attempt. Every random delay is half of its bound. */
export async function world(t: TestContext, options: Options = {}, url = "ws://gateway/ws"): Promise<World> {
  const clock = new Clock().install();
  t.mock.method(Math, "random", () => 0.5);
  const sockets: FakeWebSocket[] = [];
  const implementation = function (url: string, protocols: string[]) {
    const socket = new FakeWebSocket(url, protocols);
    sockets.push(socket);
    return socket;
  } as unknown as typeof WebSocket;
  const socket = connect(url, { WebSocket: implementation, ...options });
  t.after(() => {
    socket.close();
    clock.uninstall();
  });
  const told: [keyof Events, any][] = [];
  for (const event of EVENTS) socket.events.on(event, (what) => told.push([event, what]));
  const world = {
    socket,
    sockets,
    told,
    get server() {
      return sockets.at(-1)!;
    },
    async tick(ms: number) {
      clock.tick(ms);
      await settled();
    },
    welcome(welcome: object = {}) {
      world.server.accept();
      world.server.say({ ...WELCOME, ...welcome });
    },
  };
  await world.tick(0);
  return world;
}

/** Lets everything that is only promised happen. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** What a promise came to: its value, or the code of its error; nothing, if it has not come to anything. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  const nothing = Symbol();
  const first = await Promise.race([promise.catch((error) => error.code), settled().then(() => nothing)]);
  return first === nothing ? undefined : (first ?? "done");
}

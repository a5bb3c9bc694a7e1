/** What an application holds in its hands: who hears which message, and what is asked of the server. */

import { Acks } from "./acks.js";
import { Bus } from "./bus.js";
import { Connection } from "./connection.js";
import { RingwayError } from "./errors.js";
import * as frames from "./frames.js";
import type { Options } from "./options.js";
import { rawPayload, readRaw } from "./raw.js";
import { Requests, type RequestOptions } from "./requests.js";
import { Stream, type Taken } from "./stream.js";
import type { Events, Message, MessageHandler, Receipt, Recipient, SendOptions, State, Target, Topics } from "./types.js";
import { Watches, type PresenceHandler } from "./watches.js";

/** A user that nobody watches: not to watch it any more changes nothing, and is answered. */
const PROBE = { type: "unwatch", users: ["ringway probe"] };
const PROBE_TIMEOUT = 5_000;
/** A frame names at most so many users. */
const USERS_MAX = 500;

/** What is answered without saying anything. */
const done = () => {};

export class Socket<T extends object = Topics> {
  /** What happens to the socket itself. */
  readonly events: {
    on<K extends keyof Events>(event: K, handler: (told: Events[K]) => void): () => void;
    once<K extends keyof Events>(event: K, handler: (told: Events[K]) => void): () => void;
    off<K extends keyof Events>(event: K, handler?: (told: Events[K]) => void): void;
  };

  /** The session's id: the same across connections for as long as the session goes on. */
  session: string | undefined;

  readonly #options: Options;
  readonly #isRaw: boolean;
  readonly #topics = new Bus();
  readonly #events = new Bus();
  readonly #groups = new Set<string>();
  readonly #watches = new Watches();
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #acks: Acks;
  readonly #stream: Stream;
  /** Whether there was a session before: then a new one has to be told what that one knew. */
  #isAgain = false;

  constructor(url: string | URL, options: Options) {
    this.#options = options;
    this.#isRaw = options.protocol === "raw";
    this.events = this.#events;
    this.#connection = new Connection(url, options, {
      parameters: () => [["device", options.device], ...this.#stream.parameters()],
      onOpen: (subprotocol) => this.#opened(subprotocol),
      onData: (data) => this.#heard(data),
      onConnecting: (told) => this.#emit("connecting", told),
      onDown: (told) => this.#down(told),
      onHide: () => this.#acks.flush(),
      probe: () => this.#probe(),
    });
    this.#requests = new Requests(this.#connection, options);
    this.#acks = new Acks(this.#connection);
    this.#stream = new Stream(options.mailbox, (offset) => this.state === "open" && this.#acks.dealt(offset));
    this.reconnect();
  }

  /** What it does at present. */
  get state(): State {
    return this.#connection.state;
  }

  /** The place in the user's mailbox up to which everything was dealt with: what a device keeps for the option `mailbox`. */
  get place(): string | undefined {
    return this.#stream.place;
  }

  /** Calls a function with each message of a topic; of `"*"`: with each message. Gives back a function that ends that. */
  on<K extends keyof T & string>(topic: K, handler: MessageHandler<T[K]>): () => void;
  on(topic: "*", handler: MessageHandler<any>): () => void;
  on(topic: string, handler: MessageHandler<any>): () => void {
    return this.#topics.on(topic, handler);
  }

  /** The same, for one message. */
  once<K extends keyof T & string>(topic: K, handler: MessageHandler<T[K]>): () => void;
  once(topic: "*", handler: MessageHandler<any>): () => void;
  once(topic: string, handler: MessageHandler<any>): () => void {
    return this.#topics.once(topic, handler);
  }

  /** Ends what `on` began; without a function, for all functions of the topic. */
  off(topic: (keyof T & string) | "*", handler?: MessageHandler<any>): void {
    this.#topics.off(topic, handler);
  }

  /** Sends to the back end. Done when somebody there has taken it. */
  send<K extends keyof T & string>(topic: K, data: T[K], options?: SendOptions): Promise<void> {
    const payload = this.#isRaw ? rawPayload(topic, data) : undefined;
    const frame = { type: "event", topic, ...frames.content(data) };
    return this.#ask(frame, { payload, isVolatile: options?.volatile }, done);
  }

  /** Sends to a user's sessions, or to a group's other members. Done when it is on its way; the receipt says to how many. */
  to(target: Target): Recipient<T> {
    return {
      send: (topic, data, { id, volatile } = {}) => {
        const frame = { type: "send", to: target, topic, id, ...frames.content(data) };
        return this.#ask(frame, { isVolatile: volatile }, (reply) => reply as Receipt);
      },
    };
  }

  /** Becomes a member of a group, and stays one: also of the next session, if this one is lost. */
  join(group: string): Promise<void> {
    this.#groups.add(group);
    return this.#join(group);
  }

  /** Is a member of a group no more. */
  leave(group: string): Promise<void> {
    this.#groups.delete(group);
    return this.#ask({ type: "leave", group }, { isRepeatable: true }, done);
  }

  /** Tells whether users are online: now, and whenever that changes. Gives back a function that ends that. */
  watch(users: string | string[], handler: PresenceHandler): () => void {
    const all = [...new Set([users].flat())];
    this.#askAll("watch", this.#watches.add(all, handler));
    return () => this.#askAll("unwatch", this.#watches.remove(all, handler));
  }

  /** Connects at once if it waits, and again if it was closed for good. */
  reconnect(): void {
    this.#connection.begin();
  }

  /** Closes it for good, and tells the server so. */
  close(): void {
    this.#acks.flush();
    if (this.state !== "closed") this.#connection.down(1000, "left");
  }

  #opened(subprotocol: string): void {
    if (this.#isRaw) this.#up();
    else if (subprotocol !== frames.SUBPROTOCOL) this.#broken("no subprotocol");
  }

  #up(session?: string, recovered = false): void {
    const isAgain = this.#isAgain;
    this.#isAgain = true;
    this.session = session;
    this.#connection.up();
    this.#requests.open();
    this.#emit("open", { session });
    if (isAgain) this.#emit("resumed", { recovered });
  }

  #down(told: Events["closed"]): void {
    this.#acks.end();
    this.#requests.lost();
    if (!told.willRetry) {
      this.#requests.end();
      this.#isAgain = true;
    }
    this.#emit("closed", told);
  }

  #broken(why: unknown): void {
    this.#connection.down(1002, String(why));
  }

  #heard(data: string | ArrayBuffer): void {
    if (this.#isRaw) {
      this.#deliver({ ...readRaw(data), ack: done });
      return;
    }
    try {
      const frame = frames.readFrame(data as string);
      this.#log("server:", frame.type, (frame as frames.MessageFrame).offset);
      if ((frame.type === "welcome") !== (this.state === "connecting")) throw Error("no welcome");
      this.#told(frame, (data as string).length);
    } catch (error) {
      this.#broken(error);
    }
  }

  #told(frame: frames.ServerFrame, length: number): void {
    switch (frame.type) {
      case "welcome":
        return this.#welcomed(frame);
      case "message":
        return this.#take(length, this.#stream.message(frame.offset, frame.stored), ({ isNews, done }) => {
          const message = { topic: "", ...frame, data: frames.contentOf(frame), ack: done };
          if (!isNews || !this.#deliver(message) || this.#options.ack !== "manual") done();
        });
      case "mailbox":
        return this.#take(length, this.#stream.mailbox(frame), ({ done }) => {
          this.#emit("mailbox", frame);
          done();
        });
      case "presence":
        return this.#watches.told(frame);
      case "reconnect":
        return this.#connection.delay(frame.delay_ms);
      case "error":
      case "reply":
        // An answer that nobody waits for comes too late; an error without a name is about an acknowledgement.
        if (frame.ref !== undefined) this.#requests.answered(frame);
        else if (frame.type === "error") this.#emit("error", new RingwayError(frame.code, frame.message));
    }
  }

  #welcomed(welcome: frames.WelcomeFrame): void {
    const { isNew, missed } = this.#stream.begin(welcome);
    this.#acks.begin(welcome.ack_within_ms, welcome.offset);
    if (isNew && this.#isAgain) {
      this.#askAll("watch", this.#watches.users, true);
      for (const group of this.#groups) void this.#join(group, true);
    }
    this.#up(welcome.session, !isNew && welcome.recovered);
    if (missed) this.#emit("missed", missed);
    this.#acks.dealt(this.#stream.dealt);
  }

  #take(length: number, taken: Taken | undefined, act: (taken: Taken) => void): void {
    if (!taken) return;
    this.#acks.received(length);
    if (taken.missed) this.#emit("missed", taken.missed);
    act(taken);
  }

  /** Gives a message to its handlers. Whether there were any. */
  #deliver(message: Message): boolean {
    const { topic, data } = message;
    const own = topic === "*" ? 0 : this.#topics.emit(topic, data, message);
    return this.#topics.emit("*", data, message) + own > 0;
  }

  #probe(): void {
    if (!this.#isRaw) this.#requests.ask(PROBE, { isVolatile: true, timeout: PROBE_TIMEOUT }).catch(done);
  }

  #join(group: string, isFirst = false): Promise<void> {
    const joined = this.#ask({ type: "join", group }, { isRepeatable: true, isFirst }, done);
    joined.catch(({ code }) => code !== "closed" && this.#groups.delete(group));
    return joined;
  }

  #askAll(type: "watch" | "unwatch", users: string[], isFirst = false): void {
    for (let from = 0; from < users.length; from += USERS_MAX) {
      const frame = { type, users: users.slice(from, from + USERS_MAX) };
      void this.#ask(frame, { isRepeatable: true, isFirst }, done);
    }
  }

  /** Every failure is an event, too: so nobody needs to wait for what he does not care about. */
  #ask<Answer>(frame: object, options: RequestOptions, read: (reply: frames.ReplyFrame) => Answer): Promise<Answer> {
    const answer = this.#request(frame, options).then(read);
    answer.catch((error) => this.#emit("error", error));
    return answer;
  }

  async #request(frame: object, options: RequestOptions): Promise<frames.ReplyFrame> {
    if (this.state === "closed") throw new RingwayError("closed");
    if (this.#isRaw && options.payload === undefined) throw new RingwayError("not_supported");
    return this.#requests.ask(frame, options);
  }

  #emit<K extends keyof Events>(event: K, told: Events[K]): void {
    this.#log(event, told);
    this.#events.emit(event, told);
  }

  #log(...words: unknown[]): void {
    const { debug } = this.#options;
    if (typeof debug === "function") debug(...words);
    else if (debug) console.debug("ringway:", ...words);
  }
}

/**
 * What the client asks of the server, in order: what waits to be sent, and what waits for its answer.
 *
 * The laws: of each request there is one end, its answer or an error. What was sent and not answered is sent again only if
 * twice is no harm. Both the waiting and the unanswered are bounded, and nothing leaves faster than the server allows.
 */

import type { Connection, Payload } from "./connection.js";
import { RingwayError } from "./errors.js";
import type { ErrorFrame, ReplyFrame } from "./frames.js";
import { Pace, type PaceOptions } from "./pace.js";

/** So many may be without an answer: the server takes as many (`client.sends_under_way_max`). */
const UNANSWERED_MAX = 32;
/** For so long an answer is waited for. */
const ANSWER_TIMEOUT = 10_000;
/** So often what the server cannot do at the moment is tried. */
const TRIES_MAX = 5;
/** What may be otherwise in a moment. */
const PASSING = ["busy", "outcome_unknown", "rate_limited", "unavailable"];

export interface QueueOptions {
  /** So many messages may wait to be sent. Default: 1,000. */
  messages?: number;
  /** And so many characters of them. Default: 1,048,576. */
  characters?: number;
}

export interface RequestOptions {
  /** Whether it may be sent once more, since twice is as good as once. */
  isRepeatable?: boolean | undefined;
  /** Whether it is for this moment or not at all. */
  isVolatile?: boolean | undefined;
  /** Whether it goes before all others, and waits for its turn however much does. */
  isFirst?: boolean;
  /** What is sent in place of the frame, and has no answer. */
  payload?: Payload | undefined;
  /** How long the answer is waited for. */
  timeout?: number;
}

interface Request extends RequestOptions {
  frame: object;
  characters: number;
  tries: number;
  timer?: ReturnType<typeof setTimeout>;
  resolve(reply: ReplyFrame): void;
  reject(error: RingwayError): void;
}

/** What carries the requests. */
export type Wire = Pick<Connection, "send" | "silent">;

export class Requests {
  #isOpen = false;
  #named = 0;
  #characters = 0;
  #waiting: Request[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #unanswered = new Map<string, Request>();
  readonly #pace: Pace;
  readonly #wire: Wire;
  readonly #queue: QueueOptions;

  constructor(wire: Wire, { queue = {}, pace }: { queue?: QueueOptions; pace?: PaceOptions }) {
    this.#wire = wire;
    this.#queue = queue;
    this.#pace = new Pace(pace);
  }

  /** Sends a frame when there is a connection, in its turn; gives the answer. */
  ask(frame: object, options: RequestOptions = {}): Promise<ReplyFrame> {
    const { messages = 1_000, characters = 1_048_576 } = this.#queue;
    return new Promise((resolve, reject) => {
      const request = { ...options, frame, resolve, reject, characters: JSON.stringify(frame).length, tries: 0 };
      const isFull = this.#waiting.length >= messages || this.#characters + request.characters > characters;
      if (options.isVolatile && !this.#isOpen) reject(new RingwayError("not_connected"));
      else if (isFull && !options.isFirst) reject(new RingwayError("queue_full"));
      else this.#wait(request, options.isFirst);
      this.#send();
    });
  }

  /** There is a connection. */
  open(): void {
    this.#isOpen = true;
    this.#send();
  }

  /** There is none any more, nor the answers that were on their way. */
  lost(): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const ref of [...this.#unanswered.keys()].reverse()) {
      const request = this.#take(ref)!;
      if (request.isRepeatable) this.#wait(request, true);
      else request.reject(new RingwayError("outcome_unknown"));
    }
  }

  /** There will be none either: what waits is given up. */
  end(): void {
    for (const request of this.#waiting.splice(0)) request.reject(new RingwayError("closed"));
    this.#characters = 0;
  }

  /** An answer has come. Whether anybody waited for it: one that comes too late is passed over. */
  answered(frame: ReplyFrame | ErrorFrame): boolean {
    const request = this.#take(frame.ref ?? "");
    if (!request) return false;
    if (frame.type === "reply") request.resolve(frame);
    else this.#failed(request, new RingwayError(frame.code, frame.message));
    this.#send();
    return true;
  }

  #failed(request: Request, error: RingwayError): void {
    const isPassing = PASSING.includes(error.code);
    if (isPassing) this.#pace.pause(500 * ++request.tries);
    if (isPassing && request.isRepeatable && request.tries < TRIES_MAX) this.#wait(request, true);
    else request.reject(error);
  }

  #wait(request: Request, isFirst?: boolean): void {
    this.#waiting[isFirst ? "unshift" : "push"](request);
    this.#characters += request.characters;
  }

  /** Takes the answer's request out of those that wait for one. */
  #take(ref: string): Request | undefined {
    const request = this.#unanswered.get(ref);
    clearTimeout(request?.timer);
    this.#unanswered.delete(ref);
    return request;
  }

  /** Sends what waits, as far as it may go. */
  #send(): void {
    while (this.#isOpen && !this.#timer && this.#waiting.length && this.#unanswered.size < UNANSWERED_MAX) {
      const pause = this.#pace.take();
      if (pause > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#send();
        }, pause);
        return;
      }
      const request = this.#waiting.shift()!;
      this.#characters -= request.characters;
      this.#transmit(request);
    }
  }

  #transmit(request: Request): void {
    if (request.payload !== undefined) {
      this.#wire.send(request.payload);
      return request.resolve({ type: "reply", ref: "" });
    }
    const ref = (++this.#named).toString(36);
    const since = Date.now();
    this.#unanswered.set(ref, request);
    request.timer = setTimeout(() => {
      this.answered({ type: "error", ref, code: "outcome_unknown" });
      this.#wire.silent(since);
    }, request.timeout ?? ANSWER_TIMEOUT);
    this.#wire.send(JSON.stringify({ ...request.frame, ref }));
  }
}

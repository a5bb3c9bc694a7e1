/**
 * Where in its session's stream, and in the user's mailbox, a client is: what it has had, and what it has dealt with.
 *
 * The laws: every message is taken once and in order, and what cannot come any more is told: never a silent hole. And what
 * the client says to have, in an acknowledgement or when it resumes, it has dealt with, and everything before it too.
 */

import type { MailboxFrame, WelcomeFrame } from "./frames.js";
import type { Parameter } from "./handshake.js";

/** The first and the last offset that will not come any more. */
export interface Missed {
  from: number;
  to: number;
}

/** How a connection continues what was before. */
export interface Beginning {
  /** Whether the session is another one: it is in no group and watches nobody. */
  isNew: boolean;
  missed: Missed | undefined;
}

/** Something that has come with an offset. */
export interface Taken {
  missed: Missed | undefined;
  /** Whether it is to be delivered: it is not if the mailbox has brought it before. */
  isNews: boolean;
  /** To be called when it has been dealt with. */
  done(): void;
}

interface Entry {
  offset: number;
  place: string | undefined;
  isDone: boolean;
}

export class Stream {
  #resume = "";
  #epoch = "";
  #attempts = 0;
  /** The highest offset that has come. */
  #offset = 0;
  /** The last place in the mailbox that has come. */
  #place: string | undefined;
  /** Up to here everything has been dealt with. */
  #dealt = 0;
  #dealtPlace: string | undefined;
  /** What has come and has not been dealt with, or stands behind such. */
  #entries: Entry[] = [];
  readonly #onDealt: (offset: number) => unknown;

  constructor(place: string | undefined, onDealt: (offset: number) => unknown) {
    this.#place = this.#dealtPlace = place;
    this.#onDealt = onDealt;
  }

  /** Up to where everything has been dealt with. */
  get dealt(): number {
    return this.#dealt;
  }

  /** The place in the mailbox up to which everything has been dealt with. */
  get place(): string | undefined {
    return this.#dealtPlace;
  }

  /** With what the next handshake goes on. Of two that are under way the server heeds the later one. */
  parameters(): Parameter[] {
    const ifResuming = (value: number) => this.#resume && `${value}`;
    return [
      ["resume", this.#resume],
      ["offset", ifResuming(this.#dealt)],
      ["attempt", ifResuming(++this.#attempts)],
      ["mailbox", this.#dealtPlace],
    ];
  }

  /** A connection begins. */
  begin({ resume, epoch, offset }: WelcomeFrame): Beginning {
    const isNew = epoch !== this.#epoch;
    if (isNew) {
      // What has not been dealt with comes again if it is stored, under other offsets, and must count as new then.
      this.#entries = [];
      this.#place = this.#dealtPlace;
      this.#offset = this.#dealt = offset;
    }
    const missed = hole(this.#offset, offset + 1);
    this.#entries = this.#entries.filter((entry) => entry.offset > offset);
    this.#dealt = Math.max(this.#dealt, offset);
    this.#offset = Math.max(this.#offset, offset);
    this.#resume = resume;
    this.#epoch = epoch;
    return { isNew, missed };
  }

  /** A message has come. `undefined`: it had come before. */
  message(offset: number, place?: string): Taken | undefined {
    const isNews = !place || !this.#has(place);
    return this.#take(offset, isNews ? place : undefined, isNews);
  }

  /** From where on the mailbox is served. `undefined`: that had come before. */
  mailbox({ offset, place, recovered }: MailboxFrame): Taken | undefined {
    // If something was lost, the numbers behind the place may be given anew.
    return this.#take(offset, !recovered || !this.#has(place) ? place : undefined, true);
  }

  #take(offset: number, place: string | undefined, isNews: boolean): Taken | undefined {
    if (!(offset > this.#offset)) return undefined;
    const missed = hole(this.#offset, offset);
    const entry: Entry = { offset, place, isDone: false };
    this.#offset = offset;
    this.#place = place ?? this.#place;
    this.#entries.push(entry);
    return { missed, isNews, done: () => this.#done(entry) };
  }

  /** Of an entry of another session nothing is told: it is not among the entries any more. */
  #done(entry: Entry): void {
    entry.isDone = true;
    const { length } = this.#entries;
    while (this.#entries[0]?.isDone) {
      const { offset, place } = this.#entries.shift()!;
      this.#dealt = offset;
      this.#dealtPlace = place ?? this.#dealtPlace;
    }
    if (this.#entries.length < length) this.#onDealt(this.#dealt);
  }

  /** Whether everything up to a place in the mailbox has come. */
  #has(place: string): boolean {
    const [epoch, offset] = place.split(".");
    const [hasEpoch, hasOffset] = this.#place?.split(".") ?? [];
    return epoch === hasEpoch && Number(offset) <= Number(hasOffset);
  }
}

/** What lies between two offsets. */
function hole(last: number, next: number): Missed | undefined {
  return next > last + 1 ? { from: last + 1, to: next - 1 } : undefined;
}

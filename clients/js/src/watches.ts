/** Whose presence is watched, by whom, and what was told of it last. */

import type { PresenceFrame } from "./frames.js";
import { call, type Handler } from "./bus.js";

export type PresenceHandler = Handler<[user: string, online: boolean]>;

/** A frame names at most so many users. */
const USERS_MAX = 500;

interface Watch {
  online?: boolean;
  handlers: Set<PresenceHandler>;
}

export class Watches {
  readonly #watches = new Map<string, Watch>();

  /** Adds a watcher. Gives back the users whom nobody had watched. */
  add(users: string[], handler: PresenceHandler): string[] {
    return users.filter((user) => {
      const watch = this.#watches.get(user);
      if (!watch) return this.#watches.set(user, { handlers: new Set([handler]) });
      watch.handlers.add(handler);
      if (watch.online !== undefined) call(handler, user, watch.online);
      return false;
    });
  }

  /** Takes a watcher away. Gives back the users whom nobody watches any more. */
  remove(users: string[], handler: PresenceHandler): string[] {
    return users.filter((user) => {
      const handlers = this.#watches.get(user)?.handlers;
      return handlers?.delete(handler) && !handlers.size && this.#watches.delete(user);
    });
  }

  /** The server has told. What is no news is told to nobody. */
  told({ users }: PresenceFrame): void {
    for (const { user, online } of users) {
      const watch = this.#watches.get(user);
      if (!watch || watch.online === online) continue;
      watch.online = online;
      for (const handler of [...watch.handlers]) call(handler, user, online);
    }
  }

  /** All who are watched. */
  get users(): string[] {
    return [...this.#watches.keys()];
  }
}

/** The frames that name these users. */
export function framesFor(type: "watch" | "unwatch", users: string[]): object[] {
  const frames = [];
  for (let from = 0; from < users.length; from += USERS_MAX) {
    frames.push({ type, users: users.slice(from, from + USERS_MAX) });
  }
  return frames;
}

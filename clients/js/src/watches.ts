/** Whose presence is watched, by whom, and what was told of it last. */

import type { PresenceFrame } from "./frames.js";
import { call, type Handler } from "./bus.js";

export type PresenceHandler = Handler<[user: string, online: boolean]>;

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

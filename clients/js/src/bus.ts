/**
 * Handlers by name, in the order in which they were registered. A handler that throws harms no other one: what it throws
 * comes up by itself, as from any event handler.
 */

export type Handler<Arguments extends unknown[]> = (...given: Arguments) => void;

export class Bus {
  /** By name, the handlers, and of each whether it is for one time. */
  readonly #handlers = new Map<string, Map<Handler<any>, boolean>>();

  /** Calls a function whenever something of this name happens. Gives back a function that ends that. */
  on(name: string, handler: Handler<any>, isOnce = false): () => void {
    let handlers = this.#handlers.get(name);
    if (!handlers) this.#handlers.set(name, (handlers = new Map()));
    handlers.set(handler, isOnce);
    return () => this.off(name, handler);
  }

  /** The same, once. */
  once(name: string, handler: Handler<any>): () => void {
    return this.on(name, handler, true);
  }

  /** Ends what `on` began; without a function, for all of them. */
  off(name: string, handler?: Handler<any>): void {
    const handlers = this.#handlers.get(name);
    if (handler) handlers?.delete(handler);
    if (!handler || !handlers?.size) this.#handlers.delete(name);
  }

  /** Calls the handlers of a name. Gives back how many there were. */
  emit(name: string, ...given: unknown[]): number {
    const handlers = [...(this.#handlers.get(name) ?? [])];
    for (const [handler, isOnce] of handlers) {
      if (isOnce) this.off(name, handler);
      call(handler, ...given);
    }
    return handlers.length;
  }
}

export function call<Arguments extends unknown[]>(handler: Handler<Arguments>, ...given: Arguments): void {
  try {
    handler(...given);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

// What has happened, in words.

import { clock, count, make, percent } from "./site.js";

const IS = {
  joining: ["warn", "joins"],
  active: ["good", "is on the ring"],
  draining: ["warn", "drains: it gives its sessions away"],
  silent: ["bad", "does not answer"],
  gone: ["bad", "is gone"],
};
const FLOWS_MAX = 4;

export class News {
  #last = 0;
  #list;

  constructor(list) {
    this.#list = list;
  }

  /** Shows the entries that are new, and gives them back. */
  show(entries, observer) {
    if (observer !== this.observer) this.#last = 0;
    const isFirst = this.observer === undefined;
    this.observer = observer;
    // An observer that has begun anew counts from the beginning.
    if (entries.length > 0 && entries.at(-1).n < this.#last) this.#last = 0;
    const fresh = entries.filter(({ n }) => n > this.#last);
    if (fresh.length === 0) return [];
    this.#last = fresh.at(-1).n;
    this.#list.querySelector(".none")?.remove();
    for (const entry of fresh) this.#list.prepend(row(entry));
    while (this.#list.children.length > 60) this.#list.lastElementChild.remove();
    return isFirst ? [] : fresh;
  }
}

/** From whom to whom sessions went, as far as the numbers say: those that left, and those that arrived. */
export function ways({ left, arrived }) {
  const from = Object.keys(left);
  return Object.keys(arrived).map((to) => [from.find((id) => id !== to), to]).filter(([a]) => a !== undefined);
}

function row(entry) {
  const [kind, words] = tell(entry);
  return make("li", { class: kind },
    make("span", { class: "mark", "aria-hidden": "true" }),
    make("time", { datetime: new Date(entry.at_ms).toISOString() }, clock(entry.at_ms)),
    make("span", {}, words));
}

function tell(entry) {
  switch (entry.kind) {
    case "member": {
      const [kind, words] = IS[entry.is] ?? ["warn", entry.is];
      return [kind, `${entry.worker} ${words}`];
    }
    case "ring":
      return ["", `The ring changes: ${percent(entry.moved)} of it moves (${flows(entry.flows)})`];
    case "handover":
      return ["", handover(entry)];
    case "slow":
      return ["bad", `${count(entry.count, "delivery", "deliveries")} at ${entry.worker} found a slow consumer's queue full`];
    default:
      return ["", entry.kind];
  }
}

function flows(all) {
  const shown = all.slice(0, FLOWS_MAX).map(({ from, to, share }) => `${from ?? "nobody"} → ${to ?? "nobody"} ${percent(share)}`);
  return all.length > FLOWS_MAX ? `${shown.join(", ")}, …` : shown.join(", ");
}

function handover({ left, left_others: leftOthers, arrived, arrived_others: arrivedOthers }) {
  const list = (counts, others, verb) => {
    const named = Object.entries(counts).map(([id, sessions]) => `${id} ${verb}s over ${count(sessions, "session")}`);
    const rest = others.workers > 0 ? [`${count(others.workers, "other worker")} together ${others.sessions.toLocaleString("en")}`] : [];
    return [...named, ...rest];
  };
  const [gone, come] = [list(left, leftOthers, "hand"), list(arrived, arrivedOthers, "take")];
  // What arrives though nobody has let it go had a worker that died.
  return [...gone, ...come].join(", ") + (gone.length === 0 ? " of a lost worker" : "");
}

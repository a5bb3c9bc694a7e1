// The ring as a picture. Outside, the slots as they are: neighbours belong to whoever drew the best lot for each, so the ring is
// sprinkled evenly. Inside, the same slots put together: each worker's share. A needle shows a user's slot and whose it is.

import { colourOf } from "./colours.js";
import { draw, percent } from "./site.js";

const SIZE = 400;
const MIDDLE = SIZE / 2;
const OUTER = 188;
const RIM = 166;
const HUB = 108;
const FLOW_LASTS = 2600;
/** A slice that is smaller has no room for its label. */
const LABEL_MIN = 0.045;

export class Ring {
  #slots = draw("g", { class: "slots" });
  #slices = draw("g");
  #flows = draw("g");
  #needle = draw("g");
  #middle = draw("text", { class: "middle", x: MIDDLE, y: MIDDLE + 8 });
  #under = draw("text", { class: "under", x: MIDDLE, y: MIDDLE + 36 });
  #at = new Map();
  #was = new Map();
  #drawn;

  constructor() {
    this.element = draw("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img" },
      this.#slots, this.#slices, this.#flows, this.#needle, this.#middle, this.#under);
  }

  /** Shows these workers, the share of all others, and the owners of the sampled slots as positions among the workers. */
  show(workers, slots, others, sessions) {
    this.#middle.textContent = sessions.toLocaleString("en");
    this.#under.textContent = sessions === 1 ? "session" : "sessions";
    const told = JSON.stringify([workers.map(({ id, share }) => [id, share]), slots, others.workers, others.share]);
    if (told === this.#drawn) return;
    this.#drawn = told;
    this.#drawSlices(workers, others);
    this.#drawSlots(workers, slots);
    const shares = workers.filter(({ share }) => share > 0).map(({ id, share }) => `${id} ${percent(share)}`);
    if (others.share > 0) shares.push(`${others.workers} others ${percent(others.share)}`);
    this.element.setAttribute("aria-label", shares.length > 0 ? `The shares of the ring: ${shares.join(", ")}` : "The ring is empty");
  }

  /** Sessions move from one worker to another. */
  flow(from, to) {
    const [a, b] = [this.#at.get(from) ?? this.#gone(from), this.#at.get(to)];
    if (a === undefined || b === undefined) return;
    const [[x1, y1], [x2, y2]] = [point(a, HUB - 4), point(b, HUB - 4)];
    const path = draw("path", { class: `flow ${colourOf(to)}`, d: `M${x1} ${y1}Q${MIDDLE} ${MIDDLE} ${x2} ${y2}` });
    this.#flows.append(path);
    setTimeout(() => path.remove(), FLOW_LASTS);
  }

  /** Points at a slot, as a part of all slots, and at its owner. */
  point(part, owner) {
    const turn = part;
    const [tipX, tipY] = point(turn, OUTER + 8);
    const [inX, inY] = point(turn, RIM - 4);
    const at = this.#at.get(owner);
    const marks = [
      draw("path", { class: "needle", d: `M${tipX} ${tipY}L${inX} ${inY}` }),
      draw("circle", { class: "pin", cx: tipX, cy: tipY, r: 6 }),
    ];
    if (at !== undefined) {
      const [x, y] = point(at, HUB + 12);
      marks.push(draw("path", { class: "needle", "stroke-dasharray": "2 6", d: `M${inX} ${inY}Q${MIDDLE} ${MIDDLE} ${x} ${y}` }),
        draw("circle", { class: "pin", cx: x, cy: y, r: 5 }));
    }
    this.#needle.replaceChildren(...marks);
  }

  #gone(id) {
    return id === undefined ? undefined : this.#was.get(id);
  }

  #drawSlices(workers, others) {
    this.#was = this.#at;
    this.#at = new Map();
    const owners = workers.filter(({ share }) => share > 0);
    let begin = 0;
    const slice = (name, colour, share) => {
      const end = begin + share;
      const middle = (begin + end) / 2;
      const picture = draw("path", { class: `slice ${colour}`, d: sector(begin, end) },
        draw("title", {}, `${name}: ${percent(share)}`));
      const [x, y] = point(middle, (RIM + HUB) / 2);
      const label = share >= LABEL_MIN ? [draw("text", { class: "label", x, y }, name)] : [];
      begin = end;
      return [middle, picture, ...label];
    };
    const slices = owners.flatMap(({ id, share }) => {
      const [middle, ...pictures] = slice(id, colourOf(id), share);
      this.#at.set(id, middle);
      return pictures;
    });
    if (others.share > 0) slices.push(...slice(`${others.workers} others`, "", others.share).slice(1));
    this.#slices.replaceChildren(...slices);
  }

  #drawSlots(workers, slots) {
    const arcs = [];
    for (let from = 0; from < slots.length; ) {
      let to = from + 1;
      while (to < slots.length && slots[to] === slots[from]) to += 1;
      const owner = workers[slots[from]]?.id;
      arcs.push(draw("path", { class: colourOf(owner), d: arc(from / slots.length, to / slots.length, OUTER - 7) }));
      from = to;
    }
    this.#slots.replaceChildren(...arcs);
  }
}

/** A point on a circle; turns begin at the top and go clockwise. */
function point(turn, radius) {
  const angle = 2 * Math.PI * turn - Math.PI / 2;
  return [MIDDLE + radius * Math.cos(angle), MIDDLE + radius * Math.sin(angle)].map((value) => Math.round(value * 100) / 100);
}

function arc(begin, end, radius) {
  const [[x1, y1], [x2, y2]] = [point(begin, radius), point(Math.min(end, begin + 0.99999), radius)];
  return `M${x1} ${y1}A${radius} ${radius} 0 ${end - begin > 0.5 ? 1 : 0} 1 ${x2} ${y2}`;
}

function sector(begin, end) {
  const last = Math.min(end, begin + 0.99999);
  const [[x1, y1], [x2, y2]] = [point(last, HUB), point(begin, HUB)];
  return `${arc(begin, end, RIM)}L${x1} ${y1}A${HUB} ${HUB} 0 ${end - begin > 0.5 ? 1 : 0} 0 ${x2} ${y2}Z`;
}

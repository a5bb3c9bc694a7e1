// Messages and deliveries per second, over the last two minutes.

import { draw, make } from "./site.js";

const SECONDS = 120;
const WIDTH = 600;
const HEIGHT = 150;
/** The scale ends at one of these, or at ten, a hundred … times as much. */
const STEPS = [1, 2, 5, 10];

export class Chart {
  #points = [];
  #top = make("span");
  #svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });

  constructor() {
    this.element = make("div", {},
      make("div", { class: "legend" }, this.#top),
      this.#svg,
      make("div", { class: "legend" }, make("span", {}, "2 min ago"), make("span", {}, "1 min ago"), make("span", {}, "now")));
  }

  add(messages, deliveries) {
    this.#points.push([messages, deliveries]);
    if (this.#points.length > SECONDS + 1) this.#points.shift();
    const most = roundUp(Math.max(...this.#points.flat(), 1));
    this.#top.textContent = `${most.toLocaleString("en")} per second`;
    const [first, second] = [this.#line(0, most), this.#line(1, most)];
    const begin = this.#x(0);
    this.#svg.replaceChildren(
      ...[0.5, HEIGHT / 2, HEIGHT - 0.5].map((y) => draw("path", { class: "axis", d: `M0 ${y}H${WIDTH}` })),
      draw("path", { class: "area", d: `M${second}L${WIDTH} ${HEIGHT}L${begin} ${HEIGHT}Z` }),
      draw("path", { class: "line deliveries", d: `M${second}` }),
      draw("path", { class: "line messages", d: `M${first}` }),
    );
    this.#svg.setAttribute("aria-label", `${messages} messages and ${deliveries} deliveries per second now`);
  }

  #x(index) {
    return Math.round((WIDTH * (SECONDS - (this.#points.length - 1 - index)) * 10) / SECONDS) / 10;
  }

  #line(which, most) {
    return this.#points.map((point, index) => `${this.#x(index)} ${(HEIGHT - 2 - ((HEIGHT - 4) * point[which]) / most).toFixed(1)}`).join("L");
  }
}

function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * STEPS.find((step) => step * power >= value);
}

// Trying a change of the ring before it is made: who would move, and what the shares would be.

import { colourOf, know } from "./colours.js";
import { ask, byId, count, make, percent } from "./site.js";

const WEIGHT_MAX = 100;
const FLOWS_MAX = 8;

export class Trial {
  #form = byId("trial");
  #answer = byId("trial-answer");
  #rows = make("tbody");
  #members = [];
  #added = [];
  #shown = "";
  #count = 0;
  #asked = 0;

  constructor() {
    const add = make("button", { type: "button", class: "quiet", onclick: () => this.#add() }, "Add a worker");
    const reset = make("button", { type: "button", class: "quiet", onclick: () => this.#reset() }, "Begin anew");
    const heading = ["Worker", "Weight", "Leaves"].map((name) => make("th", {}, name));
    this.#form.append(
      make("div", { class: "scroll" }, make("table", { class: "trial" }, make("caption", { class: "unseen" }, "The change to try"),
        make("thead", {}, make("tr", {}, heading)), this.#rows)),
      make("div", { class: "ask" }, add, reset));
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", () => void this.#try());
  }

  /** The workers as they are, as far as they are told one by one, and how many there are. Rows that somebody works on stay while the
   * workers are the same. */
  show(workers, number) {
    this.#count = number;
    this.#members = workers.map(({ id, weight, state }) => ({ id, weight, isOnRing: state === "active" }));
    const told = JSON.stringify(this.#members);
    if (told === this.#shown) return;
    this.#shown = told;
    this.#draw();
    void this.#try();
  }

  #draw() {
    const member = ({ id, weight, isOnRing }) => make("tr", { "data-id": id },
      make("td", {}, make("span", { class: `chip ${colourOf(id)}` }, id), isOnRing ? "" : make("span", { class: "small soft" }, " not on the ring")),
      make("td", {}, number(`Weight of ${id}`, weight)),
      make("td", {}, make("input", { type: "checkbox", class: "leaves", "aria-label": `${id} leaves` })));
    const added = (id) => make("tr", { class: "new" },
      make("td", {}, make("input", { type: "text", value: id, maxlength: 255, "aria-label": "Name of the new worker" })),
      make("td", {}, number("Weight of the new worker", 1)),
      make("td", {}, make("button", { type: "button", class: "quiet", onclick: () => this.#drop(id) }, "Take away")));
    this.#rows.replaceChildren(...this.#members.map(member), ...this.#added.map(added));
  }

  #add() {
    const taken = new Set([...this.#members.map(({ id }) => id), ...this.#added]);
    let next = this.#count + this.#added.length + 1;
    while (taken.has(`w${next}`)) next += 1;
    this.#added.push(`w${next}`);
    this.#keepInputs(() => this.#draw());
    this.#rows.lastElementChild.querySelector("input").focus();
    void this.#try();
  }

  #drop(id) {
    this.#added = this.#added.filter((other) => other !== id);
    this.#keepInputs(() => this.#draw());
    void this.#try();
  }

  #reset() {
    this.#added = [];
    this.#draw();
    void this.#try();
  }

  /** Draws anew, with what was put in for the members. */
  #keepInputs(act) {
    const kept = new Map([...this.#rows.querySelectorAll("[data-id]")].map((row) =>
      [row.dataset.id, [row.querySelector("[type=number]").value, row.querySelector(".leaves").checked]]));
    act();
    for (const row of this.#rows.querySelectorAll("[data-id]")) {
      const [weight, leaves] = kept.get(row.dataset.id) ?? [];
      if (weight === undefined) continue;
      row.querySelector("[type=number]").value = weight;
      row.querySelector(".leaves").checked = leaves;
    }
  }

  /** What is different from the ring as it is. */
  #changes() {
    const changes = [];
    for (const row of this.#rows.querySelectorAll("[data-id]")) {
      const { id, weight } = this.#members.find((member) => member.id === row.dataset.id);
      const wanted = row.querySelector("[type=number]").valueAsNumber;
      if (row.querySelector(".leaves").checked) changes.push({ id, weight: null });
      else if (wanted !== weight && Number.isInteger(wanted)) changes.push({ id, weight: wanted });
    }
    for (const row of this.#rows.querySelectorAll(".new")) {
      const id = row.querySelector("[type=text]").value.trim();
      const weight = row.querySelector("[type=number]").valueAsNumber;
      if (id && Number.isInteger(weight)) changes.push({ id, weight });
    }
    return changes;
  }

  async #try() {
    const changes = this.#changes();
    const asked = ++this.#asked;
    if (changes.length === 0) {
      this.#answer.replaceChildren(make("p", { class: "small soft" }, "Change a weight, let a worker leave, or add one: what would move is told here."));
      return;
    }
    try {
      const told = await ask("POST", "api/trial", { changes });
      if (asked === this.#asked) this.#answer.replaceChildren(...tell(told));
    } catch (error) {
      if (asked === this.#asked) this.#answer.replaceChildren(make("p", { class: "problem" }, error.message));
    }
  }
}

function number(label, value) {
  return make("input", { type: "number", min: 0, max: WEIGHT_MAX, step: 1, value, "aria-label": label });
}

function tell({ moved, flows, loads, users }) {
  know(loads.map(({ id }) => id));
  const load = ({ id, before, after }) => [
    make("span", { class: `chip ${colourOf(id)}` }, id),
    make("span", { class: `twice ${colourOf(id)}`, "aria-hidden": "true" }, bar(before, "before"), bar(after, "after")),
    make("span", { class: "number" }, `${percent(before)} → ${percent(after)}`),
  ];
  const nobody = (id) => id ?? "nobody";
  const flow = ({ from, to, share }) => `${nobody(from)} → ${nobody(to)} ${percent(share)}`;
  const more = flows.length > FLOWS_MAX ? ` and ${flows.length - FLOWS_MAX} more` : "";
  return [
    make("p", { class: "verdict" }, `${percent(moved)} of the ring would move${who(users)}.`),
    make("div", { class: "pair" }, loads.flatMap(load)),
    make("p", { class: "small soft" }, flows.slice(0, FLOWS_MAX).map(flow).join(" · ") + more),
    named(users),
  ].filter(Boolean);
}

function who({ problem, looked_at: all, moving }) {
  if (problem || all === 0) return "";
  return `, and with it ${moving.toLocaleString("en")} of ${count(all, "connected user")}`;
}

function named({ problem, named: users = [], moving, sessions, sessions_total: total }) {
  if (problem) return make("p", { class: "problem" }, problem);
  if (users.length === 0) return null;
  const rest = moving - users.length;
  const partly = sessions < total ? ` Looked at ${sessions.toLocaleString("en")} of ${count(total, "session")}.` : "";
  return make("p", { class: "small" }, users.map(({ user, from, to }) => `${user} (${from ?? "–"} → ${to ?? "–"})`).join(", "),
    rest > 0 ? `, and ${rest.toLocaleString("en")} more.` : ".", partly);
}

/** A bar of a share. Its length is set by script: the policy of the page allows no styles in attributes. */
function bar(share, kind) {
  const inner = make("i");
  inner.style.width = `${Math.max(0.5, 100 * share)}%`;
  return make("span", { class: `bar ${kind}` }, inner);
}

// One side of the chat as it is seen: who it is, who is around, what is said.

import { colourOf } from "./colours.js";
import { byId, clock, draw, make } from "./site.js";
import { Talk } from "./talk.js";

const STATES = { online: "good", connecting: "warn", reconnecting: "warn", "signed out": "bad" };
const SHOWN_MAX = 200;

/** One tick, two ticks, or a clock. */
export function ticks(state) {
  const paths = {
    waiting: ["M9 1.5a4.5 4.5 0 1 0 .01 0", "M9 3.5v2.7l1.8 1.2"],
    sent: ["M4 6.5l3 3 6.5-7"],
    delivered: ["M1.5 6.5l3 3 6.5-7", "M7.5 9l.5.5 7-7.5"],
    acknowledged: ["M1.5 6.5l3 3 6.5-7", "M7.5 9l.5.5 7-7.5"],
  };
  return draw("svg", { viewBox: "0 0 18 12", "aria-hidden": "true" }, paths[state].map((d) => draw("path", { d })));
}

export class Pane {
  #site;
  #ask;
  #talk;
  #rows = new Map();
  #parts = {};

  /** `ask.kill(worker)` kills a worker, `ask.changed()` is told when messages are further, `ask.news(text)` what has happened. */
  constructor(site, person, ask) {
    this.#site = site;
    this.#ask = ask;
    this.element = byId("pane").content.firstElementChild.cloneNode(true);
    const part = (name) => this.element.querySelector(`.${name}`);
    for (const name of ["face", "person", "state", "where", "kill", "people", "groups", "log", "write", "to", "text"]) {
      this.#parts[name] = part(name);
    }
    const { person: select, kill, write } = this.#parts;
    select.append(...site.people.map((name) => make("option", { value: name }, name)));
    select.addEventListener("change", () => this.become(select.value));
    kill.addEventListener("click", () => this.#ask.kill(this.worker));
    write.addEventListener("submit", (event) => this.#say(event));
    this.#makeGroups();
    this.become(person);
  }

  get person() {
    return this.#talk.person;
  }

  /** Is another person from now on. */
  become(person) {
    this.#talk?.close();
    const { person: select, face, log, text } = this.#parts;
    select.value = person;
    for (const other of this.#site.people) this.element.classList.toggle(other, other === person);
    face.textContent = person[0];
    this.element.setAttribute("aria-label", `${person}'s side`);
    log.setAttribute("aria-label", `What ${person} sees`);
    log.replaceChildren(make("li", { class: "empty" }, `You are ${person} on this side. Say hello.`));
    this.#rows.clear();
    this.worker = undefined;
    this.#talk = new Talk(this.#site, person, {
      message: (message) => this.#show(message),
      changed: (message) => this.#update(message),
      presence: () => this.#showPeople(),
      state: (state, about) => this.#showState(state, about),
    });
    for (const box of this.#parts.groups.querySelectorAll("input:checked")) void this.#talk.join(box.value).catch(() => {});
    const others = this.#site.people.filter((name) => name !== person);
    this.#parts.to.replaceChildren(
      ...others.map((name) => make("option", { value: `person ${name}` }, name)),
      ...this.#site.groups.map((name) => make("option", { value: `group ${name}` }, `# ${name}`)),
    );
    text.placeholder = "Message";
    this.#showPeople();
  }

  /** Writes to this person or group from now on. */
  aim(kind, name) {
    this.#parts.to.value = `${kind} ${name}`;
  }

  say(text) {
    const [kind, name] = this.#parts.to.value.split(" ");
    this.#talk.say({ [kind]: name }, text);
  }

  tally() {
    return this.#talk.tally();
  }

  /** The person's worker is this one now; why, if that is new. */
  at(worker, died, canKill) {
    const { where, kill } = this.#parts;
    if (worker !== this.worker) {
      where.className = `chip where ${colourOf(worker)}`;
      where.textContent = worker ?? "no worker";
      if (this.worker !== undefined) this.#tell(this.#moved(worker, died), worker ? "good" : "bad");
      this.worker = worker;
    }
    kill.hidden = !canKill;
    kill.disabled = !worker;
    if (worker) kill.textContent = `Kill ${worker}`;
  }

  #moved(worker, died) {
    if (!worker) return "no worker is there";
    return died ? `${this.worker} was killed: ${this.person} goes on at ${worker}` : `${this.person} has moved to ${worker}`;
  }

  #say(event) {
    event.preventDefault();
    const { text } = this.#parts;
    if (text.value.trim()) this.say(text.value.trim());
    text.value = "";
    text.focus();
  }

  #makeGroups() {
    for (const group of this.#site.groups) {
      const box = make("input", {
        type: "checkbox",
        value: group,
        checked: group === this.#site.groups[0],
        onchange: () => void (box.checked ? this.#talk.join(group) : this.#talk.leave(group)).catch(() => {}),
      });
      this.#parts.groups.append(make("li", {}, make("label", {}, box, `# ${group}`)));
    }
  }

  #showPeople() {
    const people = this.#site.people.filter((name) => name !== this.person);
    this.#parts.people.replaceChildren(...people.map((name) => {
      const isOnline = this.#talk?.online.get(name) === true;
      const state = isOnline ? "online" : "offline";
      return make("li", { class: isOnline ? "on" : "off" }, make("span", { class: "dot", "aria-hidden": "true" }), name,
        make("span", { class: "unseen" }, ` is ${state}`));
    }));
  }

  #showState(state, about) {
    const pill = this.#parts.state;
    pill.className = `pill state ${STATES[state]}`;
    pill.textContent = state;
    if (about && state === "online") this.#note(`connected again: ${about}`, "good");
    if (state === "reconnecting") this.#note("the connection is gone, trying again", "bad");
  }

  #show(message) {
    const row = make("li", { class: message.own ? "say own" : "say", "data-key": message.key });
    this.#rows.set(message.key, row);
    this.#fill(row, message);
    this.#append(row, message.at);
    this.#ask.changed();
  }

  #update(message) {
    const row = this.#rows.get(message.key);
    if (row) this.#fill(row, message);
    this.#ask.changed();
  }

  #fill(row, { from, to, text, at, own, state, sessions, by }) {
    const place = to.group ? ` in # ${to.group}` : "";
    const heading = own ? `to ${to.group ? `# ${to.group}` : to.person}` : `${from}${place}`;
    row.replaceChildren(
      make("div", { class: "from" }, heading),
      make("div", { class: "words" }, text),
      make("div", { class: "foot" }, make("time", { datetime: new Date(at).toISOString() }, clock(at)),
        own && make("span", { class: `ticks ${state}`, title: state }, ticks(state), this.#words(state, to, sessions, by))),
    );
  }

  /** What the ticks say, in words. */
  #words(state, to, sessions, by) {
    const isMany = to.group && sessions > 0;
    if (state === "acknowledged") return isMany ? `${by.size} of ${sessions}` : make("span", { class: "unseen" }, state);
    if (state === "sent") return to.group ? "nobody else is there" : `${to.person} is away`;
    return isMany ? `${by.size} of ${sessions}` : make("span", { class: "unseen" }, state);
  }

  #tell(text, kind) {
    this.#note(text, kind);
    this.#ask.news(text, kind);
  }

  #note(text, kind) {
    this.#append(make("li", { class: `note ${kind}` }, text), Date.now());
  }

  /** Puts a row where its time says. Repeated messages may come later than those said after them. */
  #append(row, at) {
    const { log } = this.#parts;
    log.querySelector(".empty")?.remove();
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    row.at = at;
    let after = log.lastElementChild;
    while (after && after.at > at) after = after.previousElementSibling;
    if (after) after.after(row);
    else log.prepend(row);
    while (log.children.length > SHOWN_MAX) log.firstElementChild.remove();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }
}

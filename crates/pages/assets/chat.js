// The chat: two panes, the workers under them, and what became of all messages.

import { byName, colourOf, know } from "./colours.js";
import { Pane, ticks } from "./pane.js";
import { ask, byId, make, repeatedly, signIn } from "./site.js";

const LOOK_EVERY = 700;
const TALK_EVERY = 450;
const NEWS_LAST = 8000;
const LINES = ["tea?", "in five minutes", "did the deploy go through?", "it did", "lunch?", "yes, please", "look at this", "nice",
  "who has the keys?", "on my way", "see you there", "thanks!"];

const site = await signIn();
const panes = [];
const seen = { owners: {}, workers: [] };

const start = new URLSearchParams(location.search);
const first = site.people.includes(start.get("left")) ? start.get("left") : site.people[0];
const second = site.people.includes(start.get("right")) ? start.get("right") : site.people[1];
for (const person of [first, second]) {
  const pane = new Pane(site, person, { kill, changed: tally, news });
  panes.push(pane);
  byId("panes").append(pane.element);
}
panes[0].aim("person", second === first ? site.people[1] : second);
panes[1].aim("person", second === first ? site.people[1] : first);
byId("lead").textContent = site.plays
  ? "Write on one side, read on the other. Then kill the worker that one of them is on: the chat goes on."
  : "Write on one side, read on the other.";
byId("key").append(...[["sent", "sent"], ["delivered", "delivered"], ["acknowledged", "acknowledged"]].map(([state, words]) =>
  make("span", {}, make("span", { class: `ticks ${state}` }, ticks(state)), words)));
byId("talk").addEventListener("click", talk);
const look = repeatedly(LOOK_EVERY, scene);
setInterval(tally, 1000);

/** Kills a worker, and looks at once. */
async function kill(worker) {
  await act(worker, "kill");
}

async function act(worker, what) {
  await ask("POST", `api/workers/${encodeURIComponent(worker)}/${what}`).catch(complain);
  await look();
}

async function scene() {
  try {
    const { owners, workers } = await ask("GET", "api/scene");
    byId("banner").hidden = true;
    know(workers.map(({ id }) => id));
    showWorkers(workers, owners);
    for (const pane of panes) {
      const before = seen.owners[pane.person];
      const died = workers.some(({ id, state }) => id === before && state === "dead");
      pane.at(owners[pane.person], died, site.plays);
    }
    Object.assign(seen, { owners, workers });
  } catch (error) {
    complain(error);
  }
}

/** Shows for a while what has happened. */
function news(text, kind) {
  const event = byId("event");
  event.className = `pill ${kind}`;
  event.textContent = text;
  event.hidden = false;
  clearTimeout(news.timer);
  news.timer = setTimeout(() => { event.hidden = true; }, NEWS_LAST);
}

function complain(error) {
  byId("banner").textContent = `The gateway does not answer: ${error.message}`;
  byId("banner").hidden = false;
}

/** Cards are kept while they show the same, so that whoever has the focus on a button keeps it. */
function showWorkers(workers, owners) {
  const told = JSON.stringify([workers, owners, panes.map((pane) => pane.person)]);
  if (told === seen.told) return;
  seen.told = told;
  const focus = document.activeElement?.dataset?.act;
  const cards = [...workers].sort((a, b) => byName(a.id, b.id)).map((worker) => card(worker, owners));
  byId("workers").replaceChildren(...cards);
  if (focus) document.querySelector(`[data-act="${CSS.escape(focus)}"]`)?.focus();
}

function card({ id, state }, owners) {
  const here = panes.map((pane) => pane.person).filter((person, at, all) => owners[person] === id && all.indexOf(person) === at);
  const button = (words, what, kind = "") =>
    make("button", { class: `quiet ${kind}`, type: "button", "data-act": `${id} ${what}`, onclick: () => void act(id, what) }, words,
      make("span", { class: "unseen" }, ` ${id}`));
  const acts = {
    active: () => [button("Drain", "drain"), button("Kill", "kill", "danger")],
    draining: () => [button("Undrain", "undrain"), button("Kill", "kill", "danger")],
  };
  const words = { dead: "killed, back in a moment", joining: "joining", draining: "drained", active: "active" };
  return make("li", { class: `worker ${state} ${colourOf(id)}` },
    make("span", { class: "chip" }, id),
    make("span", { class: "who" }, here.map((person) => make("span", { class: `face ${person}`, title: person }, person[0],
      make("span", { class: "unseen" }, person.slice(1))))),
    make("span", { class: `pill ${{ active: "good", dead: "bad" }[state] ?? "warn"}` }, words[state] ?? state),
    site.plays && acts[state] && make("span", { class: "acts" }, acts[state]()),
  );
}

function tally() {
  const all = panes.map((pane) => pane.tally());
  const sum = (name) => all.reduce((total, one) => total + one[name], 0);
  const [sent, acknowledged, missing] = [sum("sent"), sum("acknowledged"), sum("missing")];
  byId("sent").textContent = sent.toLocaleString("en");
  byId("acknowledged").textContent = acknowledged.toLocaleString("en");
  byId("under-way").textContent = (sent - acknowledged - missing).toLocaleString("en");
  byId("missing").textContent = missing.toLocaleString("en");
  byId("missing-box").className = missing > 0 ? "some" : "none";
}

/** Lets both say something again and again, or no more. */
function talk() {
  const button = byId("talk");
  const isOn = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isOn));
  button.textContent = isOn ? "Stop them" : "Let them talk";
  clearInterval(talk.timer);
  let line = 0;
  const say = () => panes[line % 2].say(LINES[line++ % LINES.length]);
  if (isOn) talk.timer = setInterval(say, TALK_EVERY);
}

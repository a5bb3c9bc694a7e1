// The dashboard: the numbers come once a second over ringway's own socket, as messages to the group of all dashboards.

import { Chart } from "./chart.js";
import { byName, colourOf, know } from "./colours.js";
import { lookUp } from "./lookup.js";
import { News, ways } from "./news.js";
import { Ring } from "./ring.js";
import { ask, byId, connect, count, make, percent, repeatedly, signIn } from "./site.js";
import { Trial } from "./trial.js";

/** How often the gateway is told that somebody watches. */
const WATCH_EVERY = 7000;
/** After so long without numbers, those of another observer are taken. */
const PATIENCE = 3500;

const site = await signIn();
const [ring, chart, news, trial] = [new Ring(), new Chart(), new News(byId("news")), new Trial()];
const source = { observer: undefined, at: 0, told: 0, version: undefined };
byId("ring").append(ring.element);
byId("chart").append(chart.element);
const lookAgain = lookUp(ring);

// A user of its own in the cluster, also when it gets another pass.
const viewer = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const socket = connect(site, "dashboard", { viewer });
socket.on("status", hear);
socket.events.on("open", () => say("connected", "good"));
socket.events.on("closed", ({ willRetry }) => say(willRetry ? "reconnecting" : "signed out", willRetry ? "warn" : "bad"));
const watch = repeatedly(WATCH_EVERY, async () => {
  try {
    const { status } = await ask("POST", "api/watch");
    if (status) hear(status);
    byId("banner").hidden = true;
  } catch (error) {
    byId("banner").textContent = `The gateway does not answer: ${error.message}`;
    byId("banner").hidden = false;
  }
});
socket.events.on("resumed", watch);
setInterval(() => {
  if (socket.state === "open") say(Date.now() - source.at < PATIENCE ? "live" : "waiting for numbers", Date.now() - source.at < PATIENCE ? "good" : "warn");
}, 500);

function say(words, kind) {
  const pill = byId("live");
  if (pill.textContent === words) return;
  pill.textContent = words;
  pill.className = `pill ${kind}`;
}

/** Several gateways may observe at the same time: one is enough. */
function hear(status) {
  const now = Date.now();
  if (source.observer !== undefined && source.observer !== status.observer && now - source.at < PATIENCE) return;
  if (source.observer === status.observer && status.at_ms <= source.told) return;
  Object.assign(source, { observer: status.observer, at: now, told: status.at_ms });
  show(status);
}

/** Of a large cluster so many workers and gateways are told one by one, and the `others` together; `totals` are of all. */
function show({ ring: { version, strategy, slots }, totals: all, workers, others, gateways, other_gateways: otherGateways, slowest, log, observer }) {
  know(workers.map(({ id }) => id));
  const totals = numbers(all);
  showTiles(totals);
  byId("ring-version").textContent = `version ${version}, strategy ${strategy}`;
  ring.show(workers, slots, others, totals.sessions);
  if (version !== source.version) lookAgain();
  source.version = version;
  chart.add(totals.messages, totals.deliveries);
  showMembers(workers, others);
  showGateways(gateways, otherGateways);
  showSlowest(slowest);
  trial.show(workers, totals.workers);
  for (const entry of news.show(log, observer)) {
    if (entry.kind === "handover") for (const [from, to] of ways(entry)) ring.flow(from, to);
    if (entry.kind === "ring") for (const { from, to } of entry.flows) ring.flow(from, to);
  }
}

/** What workers have together; nothing is told of what none of them has. */
function numbers({ workers, active, silent, share, has, per_second: rates }) {
  return {
    workers,
    active,
    silent,
    share,
    sessions: has.sessions ?? 0,
    users: has.users ?? 0,
    inTransit: has.in_transit ?? 0,
    expected: has.expected ?? 0,
    overflows: has.overflows ?? 0,
    messages: rates.messages ?? 0,
    deliveries: rates.deliveries ?? 0,
    bytes: rates.delivered_bytes ?? 0,
    fromClients: rates.client_messages ?? 0,
    arriving: rates.arrived ?? 0,
    overflowing: rates.overflows ?? 0,
  };
}

function showTiles(totals) {
  const tell = (name, number, more) => {
    byId(name).textContent = number.toLocaleString("en");
    byId(`${name}-more`).textContent = more;
  };
  tell("sessions", totals.sessions, `of ${count(totals.users, "user")}`);
  tell("workers", totals.workers, totals.silent > 0 ? `${totals.silent} silent` : `${totals.active} on the ring`);
  tell("messages", totals.messages, `${totals.fromClients.toLocaleString("en")} from clients`);
  tell("deliveries", totals.deliveries, `${bytes(totals.bytes)}/s`);
  tell("moving", Math.max(totals.inTransit, totals.expected), `${totals.arriving.toLocaleString("en")} arrive per second`);
  tell("slow", totals.overflowing, `per second; ${totals.overflows.toLocaleString("en")} so far`);
  byId("slow-tile").classList.toggle("alarm", totals.overflowing > 0);
}

function showMembers(workers, others) {
  const kinds = { active: "good", draining: "warn", joining: "warn" };
  const row = ({ id, state, share, has, per_second: rates, answers, rpc_url: url, weight, zone }) => {
    const about = [url, `weight ${weight}`, zone && `zone ${zone}`].filter(Boolean).join(", ");
    return make("tr", {},
      make("td", {}, make("span", { class: `chip ${colourOf(id)}`, title: about }, id)),
      make("td", {}, make("span", { class: `pill ${answers ? kinds[state] ?? "" : "bad"}` }, answers ? state : "silent")),
      make("td", { class: "number" }, percent(share)),
      make("td", { class: "number" }, has ? has.sessions.toLocaleString("en") : "–"),
      make("td", { class: "number" }, rates ? rates.messages.toLocaleString("en") : "–"));
  };
  const rest = ({ workers: number, active, silent, share, sessions, messages }) => make("tr", { class: "others" },
    make("td", {}, count(number, "other")),
    make("td", { class: "soft" }, silent > 0 ? `${silent.toLocaleString("en")} silent` : `${active.toLocaleString("en")} active`),
    make("td", { class: "number" }, percent(share)),
    make("td", { class: "number" }, sessions.toLocaleString("en")),
    make("td", { class: "number" }, messages.toLocaleString("en")));
  byId("members").replaceChildren(...[...workers].sort((a, b) => byName(a.id, b.id)).map(row),
    ...(others.workers > 0 ? [rest(numbers(others))] : []));
}

function showGateways(gateways, others) {
  const most = Math.max(1, ...gateways.map(({ sessions }) => sessions));
  const row = ({ id, sessions }) => {
    const inner = make("i");
    inner.style.width = `${(100 * sessions) / most}%`;
    return [make("span", {}, id || "clients that are away"), make("span", { class: "bar", "aria-hidden": "true" }, inner),
      make("span", { class: "number" }, sessions.toLocaleString("en"))];
  };
  const rest = others.gateways > 0
    ? [make("span", {}, count(others.gateways, "other")), make("span"), make("span", { class: "number" }, others.sessions.toLocaleString("en"))]
    : [];
  byId("gateways").replaceChildren(gateways.length > 0
    ? make("div", { class: "pair" }, gateways.flatMap(row), rest)
    : make("p", { class: "small soft" }, "No worker has a link."));
}

function showSlowest(slowest) {
  const row = (session) => make("tr", {},
    make("td", {}, session.user),
    make("td", {}, make("span", { class: `chip ${colourOf(session.worker)}` }, session.worker)),
    make("td", { class: "number" }, bytes(session.queue_bytes)));
  byId("slowest").replaceChildren(slowest.length > 0
    ? make("table", {}, make("thead", {}, make("tr", {}, make("th", {}, "User"), make("th", {}, "Worker"), make("th", { class: "number" }, "Waiting"))),
      make("tbody", {}, slowest.map(row)))
    : make("p", { class: "small soft" }, "Nothing waits for any client."));
}

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${number >= 100 || unit === 0 ? Math.round(number) : number.toFixed(1)} ${units[unit]}`;
}

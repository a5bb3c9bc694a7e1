// Looking a user up: which worker, and why.

import { colourOf } from "./colours.js";
import { ask, byId, clock, count, make } from "./site.js";

const SLOTS = 262_144;

/** Lets the form look users up, and the ring point at them. Gives back what looks the last one up again. */
export function lookUp(ring) {
  let user;
  const answer = byId("lookup-answer");
  const look = async () => {
    try {
      const found = await ask("GET", `api/users/${encodeURIComponent(user)}`);
      ring.point((found.slot + 0.5) / SLOTS, found.owner);
      answer.replaceChildren(...tell(found));
    } catch (error) {
      answer.replaceChildren(make("p", { class: "problem" }, error.message));
    }
  };
  byId("lookup").addEventListener("submit", (event) => {
    event.preventDefault();
    user = byId("lookup-user").value.trim();
    void look();
  });
  return () => user && void look();
}

function tell(found) {
  const { user, hash, slot, owner, successors, sessions = [], sessions_total: total = 0, problem } = found;
  const worker = (id) => make("span", { class: `chip ${colourOf(id)}` }, id);
  const facts = [
    ["Owner", owner ? worker(owner) : "nobody: the ring is empty"],
    ["Hash", make("code", {}, `XXH64(${JSON.stringify(user)}) = ${hash}`)],
    ["Slot", make("span", {}, `${slot.toLocaleString("en")} of ${SLOTS.toLocaleString("en")}: the hash's 18 highest bits`)],
    ["Next", successors.length > 0
      ? make("span", { class: "chain" }, successors.flatMap((id, at) => (at > 0 ? ["›", worker(id)] : [worker(id)])))
      : "no other worker"],
  ];
  const list = make("dl", { class: "why" }, facts.flatMap(([name, fact]) => [make("dt", {}, name), make("dd", {}, fact)]));
  if (problem) return [list, make("p", { class: "problem" }, problem)];
  if (total === 0) return [list, make("p", { class: "soft" }, "No session: the user is not connected.")];
  const row = (session) => make("tr", {},
    make("td", {}, make("code", { title: session.id }, `${session.id.slice(0, 8)}…`)),
    make("td", {}, worker(session.worker)),
    make("td", {}, session.suspended ? "suspended" : session.gateway),
    make("td", { class: "wide" }, session.groups.join(", ") || "–"),
    make("td", { class: "number" }, clock(session.opened_at_ms)));
  const heading = make("tr", {}, ["Session", "Worker", "Gateway"].map((name) => make("th", {}, name)),
    make("th", { class: "wide" }, "Groups"), make("th", { class: "number" }, "Since"));
  const table = make("table", {}, make("caption", { class: "unseen" }, "The user's sessions"), make("thead", {}, heading),
    make("tbody", {}, sessions.map(row)));
  return [list, make("p", { class: "small soft" }, count(total, "session")), make("div", { class: "scroll" }, table)];
}

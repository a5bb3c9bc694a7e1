// One person's conversation: what is said and heard over one socket, and what became of it.
//
// A message is sent again, with the same key, until those it is for have said that they have it. So nothing is missing when a
// worker dies with messages that only it had, and nothing is shown twice, since keys are known. Ticks say how far a message is:
//   waiting       it has not left yet
//   sent          the cluster has it, and nobody is there to receive it
//   delivered     the receipt says that it is on its way to so many sessions
//   acknowledged  so many have said that they have it

import { connect } from "./site.js";

const PREFIX = "demo:";
const CHECK_EVERY = 500;
const AGAIN_AFTER = 2000;
/** The close code of a session whose token has expired. */
const PASS_OVER = 4300;
/** A message that nobody has acknowledged for so long counts as missing. */
const MISSING_AFTER = 12_000;

/** A name that no other has. Not every page may have a `randomUUID`: it is for secure contexts. */
const unique = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");
const userOf = (person) => PREFIX + person;
const personOf = (user) => user.slice(PREFIX.length);

export class Talk {
  #socket;
  #site;
  #on;
  /** Tells this side from others of the same person. */
  #side = unique();
  #known = new Map();
  #timer;
  #ends = [];

  /** `on`: functions `message`, `changed`, `presence`, `state`. */
  constructor(site, person, on) {
    this.person = person;
    this.groups = new Set();
    this.online = new Map();
    this.messages = [];
    this.#site = site;
    this.#on = on;
    this.#begin();
  }

  join(group) {
    this.groups.add(group);
    return this.#socket.join(userOf(group));
  }

  leave(group) {
    this.groups.delete(group);
    return this.#socket.leave(userOf(group));
  }

  /** Says something to a person or a group: `{person}` or `{group}`. */
  say(to, text) {
    const message = {
      key: unique(),
      to,
      text,
      from: this.person,
      at: Date.now(),
      own: true,
      state: "waiting",
      sessions: 0,
      by: new Set(),
      tries: 0,
    };
    this.#add(message);
    this.#send(message);
  }

  /** How many messages are how far. */
  tally() {
    const now = Date.now();
    const own = this.messages.filter((message) => message.own && message.state !== "sent");
    const acknowledged = own.filter((message) => message.state === "acknowledged").length;
    const missing = own.filter((message) => message.state !== "acknowledged" && now - message.at > MISSING_AFTER).length;
    return { sent: own.length, acknowledged, missing };
  }

  close() {
    clearInterval(this.#timer);
    for (const end of this.#ends) end();
    this.#socket.close();
  }

  #begin() {
    const socket = connect(this.#site, "demo", { person: this.person });
    this.#socket = socket;
    socket.on("say", (data, { from }) => this.#heard(data, personOf(from)));
    socket.on("seen", ({ key, side }) => this.#seen(key, side));
    // Whatever a back end sends is shown, too.
    socket.on("*", (data, { topic, from }) => {
      if (topic !== "say" && topic !== "seen") this.#foreign(data, from);
    });
    const state = (name, about = "") => this.#on.state(name, about);
    socket.events.on("connecting", () => state("connecting"));
    socket.events.on("open", () => state("online"));
    let isRenewal = false;
    socket.events.on("resumed", ({ recovered }) => !isRenewal && state("online", recovered ? "resumed" : "a new session"));
    socket.events.on("closed", ({ willRetry, code, reason }) => {
      // The pass is over, and another one is got: nothing that anybody needs to know.
      isRenewal = willRetry && code === PASS_OVER;
      state(isRenewal ? "connecting" : willRetry ? "reconnecting" : "signed out", reason);
    });
    this.#ends.push(socket.watch(this.#site.people.map(userOf), (user, online) => this.#presence(personOf(user), online)));
    this.#timer = setInterval(() => this.#again(), CHECK_EVERY);
  }

  #send(message) {
    const { to, key, text, at } = message;
    message.tries += 1;
    message.tried = Date.now();
    const target = to.person ? { user: userOf(to.person) } : { group: userOf(to.group) };
    const told = this.#socket.to(target).send("say", { key, text, at, group: to.group });
    told.then((receipt) => this.#received(message, receipt), () => {});
  }

  #received(message, { outcome, sessions }) {
    if (message.state === "acknowledged") return;
    if (outcome === "delivered") {
      message.state = "delivered";
      message.sessions = Math.max(message.sessions, sessions);
    } else if (message.state === "waiting") {
      message.state = "sent";
    }
    this.#settle(message);
  }

  #heard({ key, text, at, group }, from) {
    if (!this.#known.has(key)) this.#add({ key, text, at, from, to: group ? { group } : { person: this.person }, own: false });
    // Said again if it comes again: the first word may have been lost.
    this.#socket.to({ user: userOf(from) }).send("seen", { key, side: this.#side }).catch(() => {});
  }

  #seen(key, side) {
    const message = this.#known.get(key);
    if (!message?.own) return;
    message.by.add(side);
    this.#settle(message);
  }

  #settle(message) {
    const wanted = message.to.person ? 1 : Math.max(1, message.sessions);
    if (message.by.size >= wanted) message.state = "acknowledged";
    this.#on.changed(message);
  }

  /** Sends again what nobody has acknowledged, if somebody may be there by now. */
  #again() {
    const now = Date.now();
    for (const message of this.messages) {
      const isOpen = message.own && message.state !== "acknowledged" && now - message.tried > AGAIN_AFTER;
      const isAway = message.to.person && this.online.get(message.to.person) === false;
      const isOld = message.state === "sent" && message.to.group;
      if (isOpen && !isAway && !isOld) this.#send(message);
    }
  }

  #foreign(data, from) {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    this.#add({ key: unique(), text, at: Date.now(), from: from ?? "the back end", to: { person: this.person }, own: false });
  }

  #add(message) {
    this.#known.set(message.key, message);
    this.messages.push(message);
    this.#on.message(message);
  }

  #presence(person, online) {
    this.online.set(person, online);
    this.#on.presence();
  }
}

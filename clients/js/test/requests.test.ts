/** What is asked of the server: order, bounds, and the one end of each request. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { outcome, world, type FakeWebSocket } from "./fake.js";

const reply = (server: FakeWebSocket, frame: { ref: string }, members: object = {}) =>
  server.say({ type: "reply", ref: frame.ref, ...members });
const refuse = (server: FakeWebSocket, frame: { ref: string }, code: string) =>
  server.say({ type: "error", ref: frame.ref, code, message: `it is ${code}` });
const topics = (frames: any[]) => frames.map((frame) => frame.topic ?? frame.group ?? frame.users?.join());

test("a send is answered by its receipt, and everything else by nothing", async (t) => {
  const { socket, server, welcome } = await world(t);
  welcome();
  const [sent, event, joined] = [socket.to({ user: "bob" }).send("chat", 1), socket.send("e", 2), socket.join("g")];
  const frames = server.take();
  reply(server, frames[2]);
  reply(server, frames[0], { outcome: "delivered", sessions: 2, id: "m1" });
  assert.equal(await outcome(joined), "done");
  const { outcome: became, sessions, id } = await sent;
  assert.deepEqual([became, sessions, id], ["delivered", 2, "m1"]);
  assert.equal(await outcome(event), undefined);
});

test("what is refused fails with the server's code, and is told to whoever listens", async (t) => {
  const { socket, server, told, welcome } = await world(t);
  welcome();
  const sent = socket.to({ user: "bob" }).send("chat", 1);
  refuse(server, server.take()[0], "not_permitted");
  await assert.rejects(sent, { code: "not_permitted", message: "it is not_permitted" });
  assert.deepEqual([told.at(-1)![0], told.at(-1)![1].code], ["error", "not_permitted"]);
  server.say({ type: "error", code: "ack_out_of_range", message: "…" });
  assert.equal(told.at(-1)![1].code, "ack_out_of_range");
  server.say({ type: "error", ref: "later than late", code: "busy" });
  assert.equal(told.at(-1)![1].code, "ack_out_of_range", "an answer that nobody waits for is passed over");
});

test("what is sent before there is a connection waits, in order", async (t) => {
  const { socket, server, welcome } = await world(t);
  void socket.join("g");
  for (const topic of ["a", "b", "c"]) void socket.send(topic, 1);
  assert.deepEqual(server.take(), []);
  welcome();
  void socket.send("d", 1);
  assert.deepEqual(topics(server.take()), ["g", "a", "b", "c", "d"]);
});

test("the queue has a bound in messages and one in characters", async (t) => {
  const few = await world(t, { queue: { messages: 2 } });
  const sent = [1, 2, 3].map((topic) => few.socket.send(`${topic}`, 1));
  assert.equal(await outcome(sent[2]!), "queue_full");
  assert.equal(await outcome(sent[1]!), undefined);
  few.welcome();
  assert.deepEqual(topics(few.server.take()), ["1", "2"]);
  const small = await world(t, { queue: { characters: 1_000 } });
  const large = [400, 400, 400].map((length) => small.socket.send("x", "x".repeat(length)));
  assert.equal(await outcome(large[2]!), "queue_full");
  small.welcome();
  assert.equal(small.server.take().length, 2);
  small.server.drop();
  const again = [400, 400, 400].map((length) => small.socket.send("x", "x".repeat(length)));
  assert.deepEqual(await Promise.all(again.map(outcome)), [undefined, undefined, "queue_full"]);
});

test("what is volatile does not wait", async (t) => {
  const { socket, server, welcome } = await world(t);
  assert.equal(await outcome(socket.send("typing", 1, { volatile: true })), "not_connected");
  assert.equal(await outcome(socket.to({ group: "g" }).send("typing", 1, { volatile: true })), "not_connected");
  welcome();
  void socket.send("typing", 2, { volatile: true });
  assert.deepEqual(server.take().map((frame) => frame.data), [2]);
});

test("at most 32 are without an answer, and the others wait for theirs", async (t) => {
  const { socket, server, welcome } = await world(t);
  welcome();
  for (let number = 0; number < 40; number++) void socket.send(`${number}`, 1);
  const frames = server.take();
  assert.equal(frames.length, 32);
  reply(server, frames[7]);
  refuse(server, frames[9], "not_permitted");
  assert.deepEqual(topics(server.take()), ["32", "33"]);
});

test("nothing leaves faster than the server allows: 150 at once, and then 40 each second", async (t) => {
  const { socket, server, welcome, tick } = await world(t);
  welcome();
  for (let number = 0; number < 300; number++) void socket.send(`${number}`, 1);
  const answerAll = () => {
    let sent = 0;
    for (let frames = server.take(); frames.length; frames = server.take()) {
      sent += frames.length;
      for (const frame of frames) reply(server, frame);
    }
    return sent;
  };
  assert.equal(answerAll(), 150);
  let sent = 0;
  for (let ms = 0; ms < 1_000; ms += 25) {
    await tick(25);
    sent += answerAll();
  }
  assert.equal(sent, 40);
});

test("a socket that breaks leaves open what became of a send, but not of what may be done twice", async (t) => {
  const { socket, server, sockets, welcome, tick } = await world(t);
  welcome();
  const sent = socket.to({ user: "bob" }).send("chat", 1);
  const joined = socket.join("g");
  const left = socket.leave("h");
  const [first] = server.take();
  server.drop();
  const later = socket.send("later", 1);
  assert.equal(await outcome(sent), "outcome_unknown");
  assert.equal(await outcome(joined), undefined);
  await tick(250);
  welcome({ recovered: true });
  reply(sockets[1]!, first, { outcome: "delivered", sessions: 1, id: "m" });
  const frames = sockets[1]!.take();
  assert.deepEqual(topics(frames), ["g", "h", "later"]);
  for (const frame of frames) reply(sockets[1]!, frame);
  assert.deepEqual(await Promise.all([joined, left, later].map(outcome)), ["done", "done", "done"]);
});

test("an answer is waited for for ten seconds; if nothing else comes either, the connection is not trusted", async (t) => {
  const { socket, server, told, welcome, tick } = await world(t);
  welcome();
  const sent = socket.send("a", 1);
  await tick(5_000);
  server.say({ type: "presence", users: [] });
  await tick(4_999);
  assert.equal(await outcome(sent), undefined);
  await tick(1);
  assert.equal(await outcome(sent), "outcome_unknown");
  assert.equal(socket.state, "open", "the server lives: it has said something");
  void socket.send("b", 1);
  await tick(1_000);
  await tick(10_000);
  const closed = told.filter(([event]) => event === "closed").map(([, { reason }]) => reason);
  assert.deepEqual(closed, ["no answer"]);
});

test("what the server cannot do at the moment is asked for again, if twice is no harm, and everything waits with it", async (t) => {
  const { socket, server, welcome, tick } = await world(t);
  welcome();
  const joined = socket.join("g");
  const sent = socket.send("x", 1);
  const [join, send] = server.take();
  refuse(server, join, "unavailable");
  refuse(server, send, "unavailable");
  assert.equal(await outcome(sent), "unavailable");
  void socket.send("y", 1);
  assert.deepEqual(server.take(), []);
  await tick(600);
  const frames = server.take();
  assert.deepEqual(topics(frames), ["g", "y"]);
  reply(server, frames[0]);
  assert.equal(await outcome(joined), "done");
});

test("even what may be done twice is not tried forever", async (t) => {
  const { socket, server, welcome, tick } = await world(t);
  welcome();
  const joined = socket.join("g");
  let tries = 0;
  for (let times = 0; times < 20; times++) {
    for (const frame of server.take()) {
      tries++;
      refuse(server, frame, "rate_limited");
    }
    await tick(3_000);
  }
  assert.equal(tries, 5);
  assert.equal(await outcome(joined), "rate_limited");
});

test("another session is told of groups and watches before anything else, and only of those that there are", async (t) => {
  const { socket, server, sockets, welcome, tick } = await world(t, { queue: { messages: 5 } });
  const joins = ["a", "b", "no"].map((group) => socket.join(group));
  welcome();
  const stop = socket.watch(["bob", "carol"], () => {});
  socket.watch("carol", () => {});
  for (const frame of server.take()) {
    if (frame.group === "no") refuse(server, frame, "not_permitted");
    else reply(server, frame);
  }
  assert.deepEqual(await Promise.all(joins.map(outcome)), ["done", "done", "not_permitted"]);
  void socket.leave("b");
  stop();
  server.take();
  server.drop();
  for (const topic of ["1", "2", "3"]) void socket.send(topic, 1);
  await tick(250);
  welcome({ epoch: "e2" });
  const frames = sockets[1]!.take();
  assert.deepEqual(topics(frames).slice(0, 2), ["a", "carol"]);
  assert.ok(!topics(frames).includes("no"));
  assert.deepEqual(frames.filter(({ type }) => type === "event").map(({ topic }) => topic), ["1", "2", "3"]);
});

test("the same session is told nothing again", async (t) => {
  const { socket, server, sockets, welcome, tick } = await world(t);
  welcome();
  void socket.join("a");
  socket.watch("bob", () => {});
  for (const frame of server.take()) reply(server, frame);
  server.drop();
  await tick(250);
  welcome({ recovered: true });
  assert.deepEqual(sockets[1]!.take(), []);
});

test("a frame names at most 500 users", async (t) => {
  const { socket, server, welcome } = await world(t);
  welcome();
  const users = Array.from({ length: 1_001 }, (_, number) => `u${number}`);
  socket.watch(users, () => {});
  socket.watch([], () => {});
  const frames = server.take();
  assert.deepEqual(frames.map((frame) => frame.users.length), [500, 500, 1]);
  assert.deepEqual(frames.flatMap((frame) => frame.users), users);
});

test("presence is told when it is news", async (t) => {
  const { socket, server, sockets, welcome, tick } = await world(t);
  const told: unknown[] = [];
  const stop = socket.watch(["bob", "carol"], (user, online) => told.push([user, online]));
  welcome();
  const presence = (server: FakeWebSocket, online: boolean) =>
    server.say({ type: "presence", users: [{ user: "bob", online }] });
  presence(server, true);
  server.drop();
  await tick(250);
  welcome({ epoch: "e2" });
  presence(sockets[1]!, true);
  presence(sockets[1]!, false);
  assert.deepEqual(told, [["bob", true], ["bob", false]]);
  sockets[1]!.take();
  stop();
  presence(sockets[1]!, true);
  assert.equal(told.length, 2);
  assert.deepEqual(sockets[1]!.take().map(({ type, users }) => [type, users]), [["unwatch", ["bob", "carol"]]]);
});

test("when it is over nothing waits any more", async (t) => {
  const { socket, server, sockets, told, welcome, tick } = await world(t);
  const waiting = socket.send("a", 1);
  welcome();
  const flying = socket.to({ user: "bob" }).send("b", 1);
  server.take();
  server.drop();
  const queued = [socket.send("c", 1), socket.join("g")];
  socket.close();
  assert.equal(await outcome(waiting), "outcome_unknown");
  assert.equal(await outcome(flying), "outcome_unknown");
  assert.deepEqual(await Promise.all(queued.map(outcome)), ["closed", "closed"]);
  assert.equal(await outcome(socket.send("d", 1)), "closed");
  assert.equal(told.filter(([event]) => event === "error").length, 5);
  socket.reconnect();
  await tick(0);
  welcome({ epoch: "e2" });
  assert.deepEqual(topics(sockets[1]!.take()), ["g"], "what it wished to be in it joins");
});

/** What comes: to whom it is given, what is acknowledged and when, and what a resumed session brings. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { world } from "./fake.js";

const message = (offset: number, members: object = {}) => ({ type: "message", offset, id: `m${offset}`, data: offset, ...members });

test("a message is given to the handlers of its topic, and to those of all", async (t) => {
  const { socket, server, welcome } = await world(t);
  const heard: unknown[] = [];
  const onChat = (data: unknown) => heard.push(["chat", data]);
  socket.on("chat", onChat);
  socket.once("chat", (data) => heard.push(["once", data]));
  socket.on("", (data) => heard.push(["none", data]));
  socket.on("*", (data, { topic, from, id }) => heard.push(["*", data, topic, from, id]));
  welcome();
  server.say(message(1, { topic: "chat", from: "bob" }));
  server.say(message(2, { topic: "chat" }));
  socket.off("chat", onChat);
  server.say(message(3, { topic: "chat" }));
  server.say(message(4));
  server.say(message(5, { topic: "*" }));
  assert.deepEqual(heard, [
    ["chat", 1], ["once", 1], ["*", 1, "chat", "bob", "m1"],
    ["chat", 2], ["*", 2, "chat", undefined, "m2"],
    ["*", 3, "chat", undefined, "m3"],
    ["none", 4], ["*", 4, "", undefined, "m4"],
    ["*", 5, "*", undefined, "m5"],
  ]);
});

test("an acknowledgement is for all that came since the last: after half of the time, or sooner if it is much", async (t) => {
  const { server, welcome, tick } = await world(t);
  welcome({ ack_within_ms: 5_000 });
  server.say(message(1));
  await tick(2_000);
  server.say(message(2));
  await tick(499);
  assert.deepEqual(server.take(), []);
  await tick(1);
  assert.deepEqual(server.take(), [{ type: "ack", offset: 2 }]);
  for (let offset = 3; offset <= 2 + 256; offset++) server.say(message(offset));
  assert.deepEqual(server.take(), [{ type: "ack", offset: 258 }]);
  server.say(message(259, { data: "x".repeat(65_536) }));
  assert.deepEqual(server.take(), [{ type: "ack", offset: 259 }]);
  await tick(20_000);
  assert.deepEqual(server.take(), []);
});

test("by hand: only what was dealt with, and everything before it, is acknowledged, and resumed from", async (t) => {
  const { socket, server, sockets, welcome, tick } = await world(t, { ack: "manual" });
  const acks: (() => void)[] = [];
  const heard: number[] = [];
  socket.on("job", (data, { ack }) => (heard.push(data), acks.push(ack)));
  welcome();
  for (const offset of [1, 2, 3]) server.say(message(offset, { topic: "job" }));
  server.say(message(4, { topic: "nobody's" }));
  acks[1]!();
  await tick(2_500);
  assert.deepEqual(server.take(), [], "the first is not dealt with");
  acks[0]!();
  await tick(2_500);
  assert.deepEqual(server.take(), [{ type: "ack", offset: 2 }]);
  server.drop();
  await tick(250);
  assert.match(sockets[1]!.url, /[?&]offset=2&attempt=2$/);
  welcome({ offset: 2, recovered: true });
  for (const offset of [3, 4, 5]) sockets[1]!.say(message(offset, { topic: "job" }));
  assert.deepEqual(heard, [1, 2, 3, 5], "what came again was had already");
  acks[2]!();
  await tick(2_500);
  assert.deepEqual(sockets[1]!.take(), [{ type: "ack", offset: 4 }], "what nobody heard needs nobody's word");
});

test("what is dealt with while there is no connection is said with the next handshake", async (t) => {
  const { socket, server, sockets, welcome, tick } = await world(t, { ack: "manual" });
  const acks: (() => void)[] = [];
  socket.on("job", (_, { ack }) => acks.push(ack));
  welcome();
  for (const offset of [1, 2]) server.say(message(offset, { topic: "job" }));
  server.drop();
  acks[0]!();
  await tick(250);
  assert.match(sockets[1]!.url, /[?&]offset=1&attempt=2$/);
  acks[1]!();
  welcome({ offset: 1, recovered: true });
  await tick(2_500);
  assert.deepEqual(sockets[1]!.take(), [{ type: "ack", offset: 2 }]);
});

test("nothing is acknowledged before the welcome: it may be another session's", async (t) => {
  const { socket, server, sockets, welcome, tick } = await world(t, { ack: "manual" });
  const acks: (() => void)[] = [];
  socket.on("job", (_, { ack }) => acks.push(ack));
  welcome();
  server.say(message(1, { topic: "job" }));
  server.drop();
  await tick(250);
  sockets[1]!.accept();
  acks[0]!();
  await tick(5_000);
  assert.deepEqual(sockets[1]!.take(), []);
});

test("an acknowledgement of a session that is lost is nobody's business", async (t) => {
  const { socket, server, sockets, welcome, tick } = await world(t, { ack: "manual" });
  const acks: (() => void)[] = [];
  socket.on("job", (_, { ack }) => acks.push(ack));
  welcome();
  for (let offset = 1; offset <= 9; offset++) server.say(message(offset, { topic: "job" }));
  server.drop();
  await tick(250);
  welcome({ epoch: "e2" });
  for (const ack of acks) ack();
  await tick(10_000);
  assert.deepEqual(sockets[1]!.take(), []);
});

test("a session that goes on brings what is missing, and nothing twice", async (t) => {
  const { socket, server, sockets, told, welcome, tick } = await world(t, { token: "alice" });
  const heard: number[] = [];
  socket.on("*", (data) => heard.push(data));
  welcome({ resume: "a+b" });
  for (const offset of [1, 2, 3]) server.say(message(offset));
  server.drop();
  await tick(250);
  assert.equal(sockets[1]!.url, "ws://gateway/ws?resume=a%2Bb&offset=3&attempt=2");
  welcome({ resume: "r2", offset: 3, recovered: true });
  for (const offset of [2, 3, 4, 5]) sockets[1]!.say(message(offset));
  assert.deepEqual(heard, [1, 2, 3, 4, 5]);
  assert.deepEqual(told.slice(-2), [["open", { session: socket.session }], ["resumed", { recovered: true }]]);
  await tick(2_500);
  assert.deepEqual(sockets[1]!.take(), [{ type: "ack", offset: 5 }]);
});

test("what is lost is told: a hole, a part of the session, or all of it", async (t) => {
  const { server, sockets, told, welcome, tick } = await world(t);
  welcome();
  server.say(message(1));
  server.say(message(5));
  assert.deepEqual(told.at(-1), ["missed", { from: 2, to: 4 }]);
  server.drop();
  await tick(250);
  welcome({ offset: 9, recovered: false });
  assert.deepEqual(told.slice(-2), [["resumed", { recovered: false }], ["missed", { from: 6, to: 9 }]]);
  sockets[1]!.drop();
  await tick(500);
  welcome({ epoch: "e2", recovered: false });
  assert.deepEqual(told.at(-1), ["resumed", { recovered: false }]);
});

test("stored messages come once, the place goes along, and what the mailbox lost is told", async (t) => {
  const { socket, server, sockets, told, welcome, tick } = await world(t, { mailbox: "a.4", device: "phone" });
  const heard: string[] = [];
  socket.on("*", (_, { stored }) => heard.push(stored!));
  assert.equal(server.url, "ws://gateway/ws?device=phone&mailbox=a.4");
  welcome();
  server.say({ type: "mailbox", offset: 1, place: "a.4", recovered: true });
  server.say(message(2, { stored: "a.4" }));
  server.say(message(3, { stored: "a.5" }));
  server.drop();
  await tick(250);
  assert.match(sockets[1]!.url, /&mailbox=a.5$/);
  welcome({ epoch: "e2" });
  sockets[1]!.say(message(1, { stored: "a.5" }));
  sockets[1]!.say({ type: "mailbox", offset: 2, place: "b.7", recovered: false });
  sockets[1]!.say(message(3, { stored: "b.8" }));
  assert.deepEqual(heard, ["a.5", "b.8"]);
  const mailboxes = told.filter(([event]) => event === "mailbox").map(([, { place, recovered }]) => [place, recovered]);
  assert.deepEqual(mailboxes, [["a.4", true], ["b.7", false]]);
  assert.equal(socket.place, "b.8");
  await tick(2_500);
  assert.deepEqual(sockets[1]!.take(), [{ type: "ack", offset: 3 }]);
});

test("without the subprotocol there are topics and sends, and nothing else", async (t) => {
  const { socket, server, sockets, told, tick } = await world(t, { protocol: "raw", token: "alice" });
  const heard: unknown[] = [];
  socket.on("chat", (data) => heard.push(data));
  socket.on("", (data) => heard.push(data));
  const first = socket.send("chat", "waits");
  assert.deepEqual([server.url, server.protocols], ["ws://gateway/ws?token=alice", []]);
  server.accept();
  await first;
  assert.deepEqual(server.take(), [{ topic: "chat", data: "waits" }]);
  server.say('{"topic":"chat","data":{"text":"hi"}}');
  server.say("hello");
  server.bytes(Uint8Array.of(7));
  assert.deepEqual(heard, [{ text: "hi" }, "hello", Uint8Array.of(7)]);
  await socket.send("", Uint8Array.of(1, 2));
  assert.deepEqual(server.take(), [Uint8Array.of(1, 2)]);
  for (const asked of [socket.join("g"), socket.leave("g"), socket.to({ user: "bob" }).send("chat", 1)]) {
    await assert.rejects(asked, { code: "not_supported" });
  }
  server.drop();
  await tick(250);
  sockets[1]!.accept();
  assert.deepEqual(told.at(-1), ["resumed", { recovered: false }]);
  await tick(100_000);
  assert.deepEqual(sockets[1]!.take(), [], "no probes");
});

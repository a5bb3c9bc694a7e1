/** The golden vectors: what servers say is read as it is meant, and what this client says is what servers read. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { contentOf, readFrame, SUBPROTOCOL, type MessageFrame } from "../src/frames.js";
import { WELCOME, world } from "./fake.js";
import { vectors } from "./vectors.js";

test("the subprotocol has the name that the vectors say", () => {
  assert.equal(SUBPROTOCOL, vectors.subprotocol);
});

test("messages say what the vectors say", () => {
  for (const vector of vectors.message) {
    const frame = readFrame(vector.frame) as MessageFrame;
    assert.deepEqual([frame.offset, frame.id, frame.topic ?? ""], [vector.offset, vector.id, vector.topic], vector.frame);
    assert.deepEqual([frame.stored, frame.from], [vector.stored, vector.from], vector.frame);
    const payload = Buffer.from(vector.payload_base64, "base64");
    const content = contentOf(frame);
    if (vector.kind === "text") assert.equal(content, payload.toString());
    if (vector.kind === "json") assert.deepEqual(content, JSON.parse(payload.toString()));
    if (vector.kind === "binary") assert.deepEqual(content, new Uint8Array(payload));
  }
});

test("the other frames have the members that the vectors say", () => {
  for (const type of ["welcome", "mailbox", "presence", "error", "reply", "reconnect"]) {
    for (const { frame: text, what, per_second, sent, max, ...members } of vectors[type]) {
      const frame = readFrame(text) as unknown as Record<string, unknown>;
      assert.equal(frame.type, type);
      const isOfMessage = (member: string) => type === "error" && ["offset", "users"].includes(member);
      for (const [member, value] of Object.entries(members).filter(([member]) => !isOfMessage(member))) {
        assert.deepEqual(frame[member] ?? null, value, `${text}: ${member}`);
      }
    }
  }
});

test("frames of every type are told to the application as the vectors say", async (t) => {
  for (const vector of vectors.message) {
    const { socket, server, welcome } = await world(t);
    const heard: any[] = [];
    socket.on("*", (data, message) => heard.push([data, message.topic, message.id, message.from, message.stored]));
    welcome({ offset: vector.offset - 1 });
    server.say(vector.frame);
    const frame = readFrame(vector.frame) as MessageFrame;
    assert.deepEqual(heard, [[contentOf(frame), vector.topic, vector.id, vector.from, vector.stored]]);
    socket.close();
  }
});

test("what a server of a later version says is passed over", async (t) => {
  const { socket, server, welcome, told } = await world(t);
  welcome();
  for (const frame of vectors.server_later) server.say(frame);
  server.say('{"offset":1,"type":"message","id":"m1","topic":"chat","data":1,"colour":"green"}');
  assert.equal(socket.state, "open");
  assert.deepEqual(told.map(([event]) => event), ["connecting", "open"]);
});

test("what is no frame ends it: the client and the server do not understand each other", async (t) => {
  for (const text of [
    "hello",
    "null",
    "5",
    "[]",
    "{}",
    '{"type":7}',
    '{"type":"message","offset":1,"id":"m"}',
    '{"type":"message","offset":1,"id":"m","data":1,"base64":""}',
    '{"type":"message","offset":1,"id":"m","base64":"?"}',
    '{"type":"presence"}',
    JSON.stringify(WELCOME),
  ]) {
    const { socket, server, welcome, told } = await world(t);
    welcome();
    server.say(text);
    assert.equal(socket.state, "closed", text);
    assert.equal(server.closedWith, 1000);
    assert.deepEqual([told.at(-1)![1].code, told.at(-1)![1].willRetry], [1002, false], text);
  }
});

test("what this client says is what a server reads", async (t) => {
  const { socket, server, welcome } = await world(t);
  welcome({ offset: 4 });
  void socket.join("room-7");
  void socket.leave("room-7");
  socket.watch(["bob", "carol"], () => {});
  void socket.to({ user: "alice" }).send("chat", "hi");
  void socket.to({ group: "room-7" }).send("chat", { text: "hi", n: [1, 2.5] }, { id: "m1" });
  void socket.to({ user: "alice" }).send("", Uint8Array.of(0, 1, 254, 255));
  void socket.send("order.paid", { order: 7 });
  const reads = server.take().map(({ ref, ...frame }) => {
    assert.match(ref, /^[0-9a-z]{1,64}$/);
    return frame;
  });
  assert.deepEqual(reads, [
    { type: "join", group: "room-7" },
    { type: "leave", group: "room-7" },
    { type: "watch", users: ["bob", "carol"] },
    { type: "send", to: { user: "alice" }, topic: "chat", data: "hi" },
    { type: "send", to: { group: "room-7" }, topic: "chat", id: "m1", data: { text: "hi", n: [1, 2.5] } },
    { type: "send", to: { user: "alice" }, topic: "", base64: "AAH+/w==" },
    { type: "event", topic: "order.paid", data: { order: 7 } },
  ]);
  server.say({ type: "message", offset: 5, id: "m", data: 1 });
  socket.close();
  assert.deepEqual(server.take(), [{ type: "ack", offset: 5 }]);
});

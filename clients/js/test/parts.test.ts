/** The parts that need no socket: tables. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { advice } from "../src/advice.js";
import { Backoff } from "../src/backoff.js";
import { Bus } from "../src/bus.js";
import { content } from "../src/frames.js";
import { handshake } from "../src/handshake.js";
import { Pace } from "../src/pace.js";
import { rawPayload, readRaw } from "../src/raw.js";
import { Watches } from "../src/watches.js";
import { Clock } from "./clock.js";

test("close codes ask for what docs/close-codes.md says", () => {
  const table = {
    now: [1001, 1005, 1006, 1012],
    later: [1003, 1009, 1010, 1011, 1013, 1014, 1015, 3000, 3999, 4000, 4299, 4500, 4999],
    token: [4300, 4301, 4399],
    never: [1000, 1002, 1007, 1008, 4400, 4401, 4402, 4499],
  };
  for (const [expected, codes] of Object.entries(table)) {
    for (const code of codes) assert.equal(advice(code), expected, `${code}`);
  }
});

test("the delay's bound doubles up to the highest, and begins anew after a connection that lasted", (t) => {
  t.mock.method(Math, "random", () => 1);
  const backoff = new Backoff();
  const delays = Array.from({ length: 8 }, () => backoff.delay("now"));
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  backoff.lasted(9_999);
  assert.equal(backoff.delay("now"), 30_000);
  backoff.lasted(10_000);
  assert.deepEqual([backoff.delay("later"), backoff.delay("later")], [5_000, 10_000]);
  assert.equal(new Backoff({ first: 7 }).delay("now"), 7);
});

test("clients do not come back together: the very first delay is spread from nothing to its bound", () => {
  const tenths = new Set(Array.from({ length: 300 }, () => Math.floor(new Backoff().delay("now") / 50)));
  assert.deepEqual([...tenths].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("so many frames may go at once, and then one after the other", (t) => {
  const clock = new Clock().install();
  t.after(() => clock.uninstall());
  const pace = new Pace({ burst: 3, perSecond: 10 });
  const takes = (count: number) => Array.from({ length: count }, () => Math.max(0, pace.take()));
  assert.deepEqual(takes(5), [0, 0, 0, 100, 100]);
  clock.tick(250);
  assert.deepEqual(takes(3), [0, 0, 50]);
  clock.tick(10_000);
  assert.deepEqual(takes(4), [0, 0, 0, 100]);
  pace.pause(1_000);
  assert.deepEqual(takes(1), [1_100]);
});

test("handlers hear in order, once or until they are taken away, whatever others throw", (t) => {
  const bus = new Bus();
  const heard: string[] = [];
  const a = () => heard.push("a");
  const later = t.mock.method(globalThis, "queueMicrotask", () => {});
  bus.on("x", a);
  bus.on("x", () => {
    throw Error("a defect of the application");
  });
  bus.once("x", (what) => heard.push(`once ${what}`));
  const off = bus.on("x", () => off());
  assert.equal(bus.emit("x", 1), 4);
  assert.equal(bus.emit("x", 2), 2);
  bus.off("x", a);
  assert.equal(bus.emit("x"), 1);
  bus.off("x");
  assert.equal(bus.emit("x"), 0);
  assert.deepEqual(heard, ["a", "once 1", "a"]);
  // What a handler throws comes up where nobody else is.
  assert.equal(later.mock.callCount(), 3);
  assert.throws(later.mock.calls[0]!.arguments[0]!, /a defect of the application/);
});

test("a handshake says the token where it should, and everything percent-encoded", () => {
  const url = (text: string) => new URL(text);
  const resume: [string, string][] = [["resume", "a+b/c="], ["offset", "0"]];
  const table: [Parameters<typeof handshake>, [string, string[]]][] = [
    [[url("ws://g/ws"), {}, "tok", []], ["ws://g/ws", ["ringway.v1.json", "token.tok"]]],
    [[url("ws://g/ws"), {}, undefined, []], ["ws://g/ws", ["ringway.v1.json"]]],
    [[url("ws://g/ws"), { tokenIn: "query" }, "å b+(c)", []], ["ws://g/ws?token=%C3%A5%20b%2B%28c%29", ["ringway.v1.json"]]],
    [[url("ws://g/ws"), {}, "å (c)'", []], ["ws://g/ws", ["ringway.v1.json", "token.%C3%A5%20%28c%29'"]]],
    [[url("ws://g/ws?a=1"), { protocol: "raw" }, "tok", []], ["ws://g/ws?a=1&token=tok", []]],
    [[url("ws://g/ws"), { protocol: "raw" }, undefined, []], ["ws://g/ws", []]],
    [[url("ws://g/ws"), { protocol: "raw", tokenIn: "subprotocol" }, "tok", []], ["ws://g/ws", ["ringway.raw", "token.tok"]]],
    [[url("ws://g/ws"), {}, "tok", resume], ["ws://g/ws?resume=a%2Bb%2Fc%3D&offset=0", ["ringway.v1.json", "token.tok"]]],
    [[url("ws://g/ws"), {}, "tok", [["device", undefined], ["mailbox", "5.7"]]], ["ws://g/ws?mailbox=5.7", ["ringway.v1.json", "token.tok"]]],
  ];
  for (const [given, expected] of table) assert.deepEqual(handshake(...given), expected);
});

test("without the subprotocol what is said is JSON with a topic, or whatever else it is", () => {
  assert.equal(rawPayload("chat", { text: "hi" }), '{"topic":"chat","data":{"text":"hi"}}');
  assert.deepEqual(rawPayload("", Uint8Array.of(1, 2)), Uint8Array.of(1, 2));
  for (const [payload, expected] of [
    ['{"topic":"chat","data":[1]}', { topic: "chat", data: [1] }],
    ['{"topic":"chat"}', { topic: "chat", data: undefined }],
    ['{"topic":7,"data":1}', { topic: "", data: '{"topic":7,"data":1}' }],
    ["null", { topic: "", data: "null" }],
    ["hello", { topic: "", data: "hello" }],
    [Uint8Array.of(0, 255).buffer, { topic: "", data: Uint8Array.of(0, 255) }],
  ] as const) {
    assert.deepEqual(readRaw(payload), expected);
  }
});

test("contents are JSON, or bytes in base64", () => {
  for (const [given, expected] of [
    ["hi", { data: "hi" }],
    [undefined, { data: null }],
    [null, { data: null }],
    [Uint8Array.of(0, 1, 254, 255), { base64: "AAH+/w==" }],
    [new Uint8Array([9, 0, 1, 254, 255, 9]).subarray(1, 5), { base64: "AAH+/w==" }],
    [new Uint8Array(), { base64: "" }],
  ] as const) {
    assert.deepEqual(content(given), expected);
  }
  const large = content(new Uint8Array(300_000)) as { base64: string };
  assert.equal(large.base64.length, 400_000);
});

test("a user is watched once for all who watch, and told to each when it changes", () => {
  const watches = new Watches();
  const told: string[] = [];
  const a = (user: string, online: boolean) => told.push(`a ${user} ${online}`);
  const b = (user: string, online: boolean) => told.push(`b ${user} ${online}`);
  assert.deepEqual(watches.add(["bob", "carol"], a), ["bob", "carol"]);
  watches.told({ type: "presence", users: [{ user: "bob", online: true }, { user: "stranger", online: true }] });
  assert.deepEqual(watches.add(["bob", "dan"], b), ["dan"]);
  watches.told({ type: "presence", users: [{ user: "bob", online: true }] });
  watches.told({ type: "presence", users: [{ user: "bob", online: false }] });
  assert.deepEqual(told, ["a bob true", "b bob true", "a bob false", "b bob false"]);
  assert.deepEqual(watches.remove(["bob", "carol"], a), ["carol"]);
  assert.deepEqual(watches.remove(["bob", "carol"], a), []);
  assert.deepEqual(watches.users, ["bob", "dan"]);
  assert.deepEqual(watches.remove(["bob", "dan"], b), ["bob", "dan"]);
});

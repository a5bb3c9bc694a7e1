/** The library with real clusters, over Node's own WebSocket: nothing lost, nothing twice, whatever breaks. */

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connect, type Events, type Options, type Socket } from "../src/index.js";
import { Cluster, Proxy, until } from "./cluster.js";

/** A client that writes down all that comes. */
function client(t: TestContext, url: string, options: Options) {
  const socket = connect(url, options);
  const heard: any[] = [];
  const events: [string, any][] = [];
  socket.on("*", (data, { topic, from }) => heard.push({ topic, data, from }));
  for (const event of ["open", "resumed", "closed", "missed", "mailbox", "error"] as const) {
    socket.events.on(event, (told: Events[typeof event]) => events.push([event, told]));
  }
  t.after(() => socket.close());
  const times = (event: string) => events.filter(([name]) => name === event).map(([, told]) => told);
  const open = () => until("it is open", () => socket.state === "open");
  return { socket, heard, times, open };
}

/** Sends numbers one after the other, each when the one before is on its way; gives those whose fate is known. */
async function sendNumbers(from: Socket, user: string, count: number, between: (number: number) => unknown): Promise<number[]> {
  const delivered: number[] = [];
  for (let number = 1; number <= count; number++) {
    await between(number);
    for (;;) {
      const { outcome } = await from.to({ user }).send("number", number);
      if (outcome === "delivered" || outcome === "suspended") break;
    }
    delivered.push(number);
  }
  return delivered;
}

const numbers = (heard: { topic: string; data: number }[]) =>
  heard.filter(({ topic }) => topic === "number").map(({ data }) => data);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test("messages of a back end and of clients, groups, presence, refusals, the end", async (t) => {
  const cluster = await Cluster.up(t, "client.watch=bob");
  const alice = client(t, cluster.client, { token: "alice" });
  const bob = client(t, cluster.client, { token: "bob", tokenIn: "query" });
  await Promise.all([alice.open(), bob.open()]);

  await cluster.run("send", "user", "alice", '{"text":"hi"}', "--topic", "chat", "--kind", "json");
  await cluster.run("send", "user", "alice", "plain text");
  await until("alice has both", () => alice.heard.length === 2);
  assert.deepEqual(alice.heard, [
    { topic: "chat", data: { text: "hi" }, from: undefined },
    { topic: "", data: "plain text", from: undefined },
  ]);

  await bob.socket.join("room-7");
  await alice.socket.join("room-7");
  const receipt = await alice.socket.to({ group: "room-7" }).send("chat", Uint8Array.of(0, 255), { id: "m1" });
  assert.deepEqual([receipt.outcome, receipt.sessions, receipt.id], ["delivered", 1, "m1"]);
  await until("bob has it", () => bob.heard.length === 1);
  assert.deepEqual(bob.heard[0], { topic: "chat", data: Uint8Array.of(0, 255), from: "alice" });
  await bob.socket.leave("room-7");
  assert.equal((await alice.socket.to({ group: "room-7" }).send("", "who is there?")).outcome, "no_session");

  const presence: [string, boolean][] = [];
  alice.socket.watch("bob", (...told) => presence.push(told));
  await until("alice knows of bob", () => presence.length === 1);
  bob.socket.close();
  await until("alice knows that bob is gone", () => presence.length === 2);
  assert.deepEqual(presence, [["bob", true], ["bob", false]]);

  alice.socket.watch("carol", () => {});
  await assert.rejects(alice.socket.send("order", 7), ({ code }) => ["not_permitted", "unavailable"].includes(code));
  await until("both refusals are told", () => alice.times("error").length === 2);

  await cluster.run("close", "--user", "alice", "--reason", "signed out");
  await until("alice is out", () => alice.socket.state === "closed");
  assert.deepEqual(alice.times("closed"), [{ willRetry: false, reason: "signed out", code: 4401, delay: 0 }]);
});

test("a loop that sends faster than the server allows is not told off, and all arrives in order", async (t) => {
  const cluster = await Cluster.up(t);
  const alice = client(t, cluster.client, { token: "alice" });
  const bob = client(t, cluster.client, { token: "bob" });
  await Promise.all([alice.open(), bob.open()]);
  const sent = upTo(400).map((number) => alice.socket.to({ user: "bob" }).send("number", number));
  await Promise.all(sent);
  await until("bob has them", () => bob.heard.length === 400);
  assert.deepEqual(numbers(bob.heard), upTo(400));
  assert.deepEqual(alice.times("error"), []);
});

test("sockets that break: the session goes on, nothing is missing and nothing comes twice", async (t) => {
  const cluster = await Cluster.up(t);
  const proxy = await Proxy.before(t, cluster.client);
  const alice = client(t, proxy.url, { token: "alice", backoff: { first: 50 } });
  const bob = client(t, cluster.client, { token: "bob", pace: { burst: 150, perSecond: 45 } });
  await Promise.all([alice.open(), bob.open()]);
  const { session } = alice.socket;
  await sendNumbers(bob.socket, "alice", 150, async (number) => {
    if (number % 25 === 0) proxy.cut();
    // Some messages go while it is cut off, and no cut comes before it is back.
    const cuts = Math.floor(number / 25);
    if (number % 25 === 15) await until("it is back", () => alice.times("resumed").length >= cuts);
  });
  await until("alice has them", () => alice.heard.length >= 150);
  assert.deepEqual(numbers(alice.heard), upTo(150));
  assert.ok(alice.times("resumed").length >= 5, "the cuts were noticed");
  assert.ok(alice.times("resumed").every(({ recovered }) => recovered));
  assert.equal(alice.socket.session, session);
  assert.deepEqual(alice.times("missed"), []);
});

test("by hand: what was not acknowledged comes again, also to a session that goes on", async (t) => {
  const cluster = await Cluster.up(t);
  const proxy = await Proxy.before(t, cluster.client);
  const options: Options = { token: "alice", ack: "manual", device: "phone", backoff: { first: 50 } };
  const first = connect(proxy.url, options);
  t.after(() => first.close());
  const had: string[] = [];
  first.on("job", (data, { ack }) => {
    had.push(data);
    if (data === "one") ack();
  });
  await until("it is open", () => first.state === "open");
  for (const job of ["one", "two"]) await cluster.run("send", "user", "alice", job, "--topic", "job", "--at-least-once");
  await until("both are there", () => had.length === 2);
  proxy.cut();
  await until("it is back", () => first.state === "open");
  await cluster.run("send", "user", "alice", "three", "--topic", "job", "--at-least-once");
  await until("the third is there", () => had.length === 3);
  first.close();
  const second = client(t, cluster.client, { token: "alice", device: "phone", mailbox: first.place! });
  await until("the other ones come again", () => second.heard.length === 2);
  assert.deepEqual([had, second.heard.map(({ data }) => data)], [["one", "two", "three"], ["two", "three"]]);
});

test("a line that goes dead without a word is noticed, and its session goes on", async (t) => {
  const cluster = await Cluster.up(t);
  const proxy = await Proxy.before(t, cluster.client);
  const alice = client(t, proxy.url, { token: "alice", heartbeat: 200 });
  await alice.open();
  proxy.freeze();
  // Even if the line comes to life again before there is another: nothing on it says goodbye.
  alice.socket.events.on("closed", () => proxy.thaw());
  await cluster.run("send", "user", "alice", "into the dark", "--topic", "chat");
  await until("it is back", () => alice.times("resumed").length === 1);
  await until("the message is there", () => alice.heard.length === 1);
  assert.deepEqual([alice.times("closed")[0].reason, alice.times("resumed")], ["no answer", [{ recovered: true }]]);
});

test("a worker is drained and another one killed under a client, and it notices nothing", async (t) => {
  const cluster = await Cluster.fleet(t, 3);
  const alice = client(t, cluster.client, { token: "alice" });
  const bob = client(t, cluster.client, { token: "bob", pace: { burst: 150, perSecond: 45 } });
  await Promise.all([alice.open(), bob.open()]);
  const { session } = alice.socket;
  await alice.socket.join("room-7");
  const drained = await cluster.workerOf("alice");
  await sendNumbers(bob.socket, "alice", 60, (number) => number === 20 && cluster.run("drain", drained));
  await until("alice has them", () => alice.heard.length >= 60);
  assert.deepEqual(numbers(alice.heard), upTo(60));
  const killed = await cluster.workerOf("alice");
  assert.notEqual(killed, drained);
  cluster.kill(killed, "SIGKILL");
  await until("another worker has her", async () => {
    const report = await cluster.run("presence", "get", "alice");
    return report.users[0]?.online && report.users[0].worker !== killed;
  });
  await cluster.run("send", "group", "room-7", "still there?", "--topic", "after");
  await until("she is reached by her group", () => alice.heard.at(-1)?.data === "still there?");
  assert.deepEqual([alice.times("closed"), alice.socket.session], [[], session]);
});

test("a gateway that leaves says when to come back", async (t) => {
  const cluster = await Cluster.up(t, "gateway.drain_window=1s");
  const alice = client(t, cluster.client, { token: "alice" });
  await alice.open();
  cluster.kill("up", "SIGTERM");
  await until("it is closed", () => alice.times("closed").length > 0);
  const [{ willRetry, code, delay }] = alice.times("closed");
  assert.deepEqual([willRetry, code], [true, 1001]);
  assert.ok(delay >= 0);
  await until("nobody is there", () => alice.times("closed").length > 1);
  assert.equal(alice.times("closed")[1].reason, "unreachable");
});

test("a token that expires is replaced, and the session is a new one that knows what it wished", async (t) => {
  const secret = "at least 32 bytes of secret text";
  const cluster = await Cluster.up(t, "auth.mode=jwt", `auth.jwt.secret=${secret}`, "auth.jwt.leeway=0s");
  let asked = 0;
  const token = () => cluster.token(secret, "alice", asked++ ? "1h" : "2s");
  const alice = client(t, cluster.client, { token, backoff: { first: 50 } });
  await alice.open();
  await alice.socket.join("room-7");
  await until("the token has expired", () => alice.times("closed").length > 0);
  assert.deepEqual([alice.times("closed")[0].code, alice.times("closed")[0].willRetry], [4300, true]);
  await until("it is back", () => alice.times("resumed").length === 1);
  assert.deepEqual([asked, alice.times("closed").length], [2, 1]);
  const inGroup = async () => (await cluster.run("send", "group", "room-7", "hi", "--topic", "chat")).outcome === "delivered";
  await until("she is in her group again", inGroup);
});

test("a token that is refused is asked for again", async (t) => {
  const secret = "at least 32 bytes of secret text";
  const cluster = await Cluster.up(t, "auth.mode=jwt", `auth.jwt.secret=${secret}`);
  let asked = 0;
  const token = () => (asked++ ? cluster.token(secret, "alice", "1h") : "no token at all");
  const alice = client(t, cluster.client, { token, backoff: { first: 50 } });
  await alice.open();
  assert.deepEqual([asked, alice.times("closed")[0].reason], [2, "unreachable"]);
});

test("without the subprotocol payloads {topic, data} are dispatched, and come back as they went", async (t) => {
  const cluster = await Cluster.up(t, "worker.echo=true");
  for (const options of [{}, { tokenIn: "subprotocol" }] as Options[]) {
    const alice = client(t, cluster.client, { token: "alice (raw)", protocol: "raw", ...options });
    await alice.open();
    await alice.socket.send("chat", { text: "hi" });
    await until("it is back", () => alice.heard.length === 1);
    assert.deepEqual(alice.heard, [{ topic: "chat", data: { text: "hi" }, from: undefined }]);
    alice.socket.close();
  }
});

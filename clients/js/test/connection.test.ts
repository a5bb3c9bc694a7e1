/** When there is a connection, and when there is another one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Options } from "../src/index.js";
import { settled, world, WELCOME } from "./fake.js";

test("a socket connects, is welcomed, and tells so", async (t) => {
  const { socket, server, told, welcome, tick } = await world(t, { token: "alice", device: "phone" });
  assert.equal(socket.state, "connecting");
  assert.equal(server.url, "ws://gateway/ws?device=phone");
  assert.deepEqual(server.protocols, ["ringway.v1.json", "token.alice"]);
  welcome();
  assert.equal(socket.state, "open");
  assert.equal(socket.session, WELCOME.session);
  await tick(60_000);
  assert.deepEqual(told.slice(0, 2), [["connecting", { attempt: 1 }], ["open", { session: WELCOME.session }]]);
});

test("an address of the page's own is enough", async (t) => {
  Object.assign(globalThis, { location: { href: "https://app.example.com/chat/" } });
  t.after(() => Reflect.deleteProperty(globalThis, "location"));
  assert.equal((await world(t, {}, "/ws")).server.url, "wss://app.example.com/ws");
});

test("what a close code says is done: when it is back, with which token, or that it is over", async (t) => {
  const table: [code: number, told: { willRetry: boolean; delay: number }, tokens: number][] = [
    [1001, { willRetry: true, delay: 250 }, 1],
    [1005, { willRetry: true, delay: 250 }, 1],
    [1006, { willRetry: true, delay: 250 }, 1],
    [1012, { willRetry: true, delay: 250 }, 1],
    [1011, { willRetry: true, delay: 2_500 }, 1],
    [1013, { willRetry: true, delay: 2_500 }, 1],
    [3333, { willRetry: true, delay: 2_500 }, 1],
    [4300, { willRetry: true, delay: 250 }, 2],
    [1000, { willRetry: false, delay: 0 }, 1],
    [1008, { willRetry: false, delay: 0 }, 1],
    [4400, { willRetry: false, delay: 0 }, 1],
    [4401, { willRetry: false, delay: 0 }, 1],
  ];
  for (const [code, expected, tokens] of table) {
    let asked = 0;
    const { told, server, sockets, welcome, tick } = await world(t, { token: async () => `token${++asked}` });
    welcome();
    server.drop(code, "why");
    assert.deepEqual(told.at(-1), ["closed", { ...expected, reason: "why", code }], `${code}`);
    await tick(Math.max(0, expected.delay - 1));
    assert.equal(sockets.length, 1, `${code}: too early`);
    await tick(1);
    await tick(100_000);
    assert.equal(sockets.length > 1, expected.willRetry, `${code}`);
    assert.equal(sockets[1]?.protocols[1], expected.willRetry ? `token.token${tokens}` : undefined, `${code}`);
  }
});

test("the first delay is random too, and the bound doubles with each attempt that fails", async (t) => {
  const { told, sockets, tick } = await world(t);
  for (let attempt = 0; attempt < 9; attempt++) {
    sockets.at(-1)!.drop();
    await tick(told.at(-1)![1].delay);
  }
  const delays = told.filter(([event]) => event === "closed").map(([, { delay, reason }]) => [delay, reason]);
  assert.deepEqual(delays.map(([delay]) => delay), [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  assert.equal(delays[0]![1], "unreachable");
  assert.deepEqual(told.filter(([event]) => event === "connecting").map(([, { attempt }]) => attempt).slice(0, 3), [1, 2, 3]);
});

test("a connection that did not last does not make the delays short again", async (t) => {
  const world1 = await world(t, { heartbeat: 0 });
  for (const [lasts, expected] of [[9_999, 250], [9_999, 500], [10_000, 250]] as const) {
    world1.welcome();
    await world1.tick(lasts);
    world1.server.drop();
    assert.equal(world1.told.at(-1)![1].delay, expected);
    await world1.tick(expected);
  }
});

test("the delay that the server asks for is kept, once, and not cut short", async (t) => {
  const page = fakePage(t);
  const { told, server, sockets, welcome, tick } = await world(t);
  welcome();
  server.say({ type: "reconnect", delay_ms: 12_345 });
  server.drop(1001);
  assert.equal(told.at(-1)![1].delay, 12_345);
  page.dispatch("online");
  await tick(12_344);
  assert.equal(sockets.length, 1);
  await tick(1);
  assert.equal(sockets.length, 2);
  sockets[1]!.drop();
  assert.equal(told.at(-1)![1].delay, 250);
});

test("a token that is a value is not another one the next time: it is over", async (t) => {
  const { told, server, welcome } = await world(t, { token: "alice" });
  welcome();
  server.drop(4300, "expired");
  assert.deepEqual(told.at(-1), ["closed", { willRetry: false, reason: "expired", code: 4300, delay: 0 }]);
});

test("after a handshake that failed the token is asked for again, since a browser hides why", async (t) => {
  let asked = 0;
  const { sockets, server, welcome, tick } = await world(t, { token: () => `token${++asked}` });
  server.drop();
  await tick(250);
  assert.equal(sockets[1]!.protocols[1], "token.token2");
  welcome();
  sockets[1]!.drop();
  await tick(1_000);
  assert.equal(sockets[2]!.protocols[1], "token.token2");
});

test("whoever gets no token tries later; whoever is signed out does not try", async (t) => {
  const failing = await world(t, { token: () => Promise.reject(Error("no network")) });
  assert.equal(failing.sockets.length, 0);
  assert.deepEqual(failing.told.at(-1), ["closed", { willRetry: true, reason: "Error: no network", code: 1006, delay: 2_500 }]);
  for (const nothing of [null, undefined]) {
    const out = await world(t, { token: async () => nothing });
    assert.deepEqual(out.told.at(-1), ["closed", { willRetry: false, reason: "signed out", code: 4300, delay: 0 }]);
    assert.equal(out.sockets.length, 0);
  }
});

test("a token that comes after the end is nobody's: the next user is asked for anew", async (t) => {
  const answers: ((token: string) => void)[] = [];
  const { socket, sockets, tick } = await world(t, { token: () => new Promise<string>((answer) => answers.push(answer)) });
  socket.close();
  answers[0]!("alice");
  await tick(0);
  socket.reconnect();
  await tick(0);
  assert.equal(answers.length, 2);
  answers[1]!("bob");
  await tick(0);
  assert.equal(sockets.at(-1)!.protocols[1], "token.bob");
});

test("a token that comes too late is of no use to the attempt that wanted it", async (t) => {
  const answers: ((token: string) => void)[] = [];
  const { told, sockets, tick } = await world(t, { token: () => new Promise<string>((answer) => answers.push(answer)) });
  await tick(10_000);
  assert.deepEqual(told.at(-1)![1].reason, "no answer");
  await tick(250);
  assert.equal(answers.length, 2);
  answers[0]!("late");
  await settled();
  assert.equal(sockets.length, 0);
  answers[1]!("token2");
  await settled();
  assert.equal(sockets.length, 1);
});

test("a handshake, and a welcome, that take too long are given up", async (t) => {
  const { told, sockets, server, tick } = await world(t, { timeout: 3_000 });
  await tick(3_000);
  assert.deepEqual(told.at(-1), ["closed", { willRetry: true, reason: "no answer", code: 1006, delay: 250 }]);
  assert.notEqual(server.closedWith, undefined);
  await tick(250);
  sockets[1]!.accept();
  await tick(2_999);
  assert.equal(sockets.length, 2);
  await tick(1);
  assert.equal(told.at(-1)![1].reason, "no answer");
  assert.equal(sockets[1]!.closedWith, undefined, "its session may go on: no goodbye yet");
  server.accept();
  server.say(WELCOME);
  server.drop();
  assert.equal(told.length, 4, "nothing is heard of a socket that was given up");
  await tick(500);
  for (let times = 0; times < 5; times++) {
    sockets.at(-1)!.accept();
    await tick(3_000);
    await tick(told.at(-1)![1].delay);
  }
  const open = () => sockets.filter(({ readyState }) => readyState === 1).length;
  assert.equal(open(), 3, "not more than three are kept");
  sockets.at(-1)!.accept();
  sockets.at(-1)!.say(WELCOME);
  assert.equal(open(), 1);
});

test("a server that does not speak the protocol is left alone", async (t) => {
  const without = await world(t);
  without.server.accept("");
  assert.deepEqual([without.told.at(-1)![1].code, without.told.at(-1)![1].willRetry], [1002, false]);
  const unwelcome = await world(t);
  unwelcome.server.accept();
  unwelcome.server.say({ type: "reply", ref: "1" });
  assert.deepEqual([unwelcome.told.at(-1)![1].code, unwelcome.told.at(-1)![1].willRetry], [1002, false]);
});

test("it can be closed in every state, and begun again", async (t) => {
  const stages: [string, (it: Awaited<ReturnType<typeof world>>) => void][] = [
    ["connecting", () => {}],
    ["open", (it) => it.welcome()],
    ["waiting", (it) => it.server.drop()],
  ];
  for (const [state, reach] of stages) {
    const it = await world(t);
    reach(it);
    assert.equal(it.socket.state, state);
    it.socket.close();
    it.socket.close();
    assert.deepEqual(it.told.at(-1), ["closed", { willRetry: false, reason: "left", code: 1000, delay: 0 }]);
    if (state !== "waiting") assert.equal(it.server.closedWith, 1000);
    await it.tick(100_000);
    assert.equal(it.sockets.length, 1, state);
    it.socket.reconnect();
    await it.tick(0);
    it.welcome();
    assert.equal(it.socket.state, "open");
  }
});

test("who does not want to wait does not", async (t) => {
  const { socket, server, sockets, welcome, tick } = await world(t);
  server.drop(1013);
  socket.reconnect();
  await tick(0);
  assert.equal(sockets.length, 2);
  welcome();
  socket.reconnect();
  await tick(0);
  assert.equal(sockets.length, 2, "there is a connection");
});

test("a server that is silent is asked, and given up if it stays silent; its socket is closed when there is another", async (t) => {
  const { told, server, sockets, welcome, tick } = await world(t);
  welcome();
  await tick(30_000);
  const [probe] = server.take();
  assert.equal(probe.type, "unwatch");
  server.say({ type: "reply", ref: probe.ref });
  await tick(30_000);
  assert.equal(server.take().length, 1);
  await tick(5_000);
  assert.deepEqual(told.at(-1), ["closed", { willRetry: true, reason: "no answer", code: 1006, delay: 250 }]);
  await tick(250);
  assert.equal(server.closedWith, undefined, "to close it would be to say goodbye");
  assert.match(sockets[1]!.url, /resume=r1/);
  welcome({ recovered: true });
  assert.notEqual(server.closedWith, undefined);
});

test("a server that talks is not asked, nor one without a heartbeat", async (t) => {
  const { server, welcome, tick } = await world(t);
  welcome();
  for (let times = 0; times < 9; times++) {
    await tick(15_000);
    server.say({ type: "presence", users: [] });
  }
  assert.deepEqual(server.take(), []);
  const without = await world(t, { heartbeat: 0 });
  without.welcome();
  await without.tick(1_000_000);
  assert.deepEqual(without.server.take(), []);
});

test("a page that is back, or its network, tries at once; and finds out whether the connection stands", async (t) => {
  const page = fakePage(t);
  for (const event of ["online", "visibilitychange"]) {
    const { server, sockets, told, welcome, tick } = await world(t);
    for (let times = 0; times < 7; times++) {
      sockets.at(-1)!.drop();
      if (times < 6) await tick(told.at(-1)![1].delay);
    }
    assert.equal(told.at(-1)![1].delay, 15_000);
    page.dispatch(event);
    await tick(250);
    assert.equal(sockets.length, 8, event);
    welcome();
    page.dispatch(event);
    assert.equal(sockets.at(-1)!.take().length, 1, `${event}: the server is asked`);
    await tick(5_000);
    assert.equal(told.at(-1)![1].reason, "no answer");
    assert.deepEqual(server.take(), []);
  }
});

test("a page that comes and goes does not hurry a server that wants it later", async (t) => {
  const page = fakePage(t);
  const { server, sockets, tick } = await world(t);
  server.drop(1013);
  for (let times = 0; times < 10; times++) page.dispatch("online");
  await tick(2_499);
  assert.equal(sockets.length, 1);
});

test("a page without a network finds out soon", async (t) => {
  const page = fakePage(t);
  const { server, welcome } = await world(t);
  welcome();
  page.dispatch("offline");
  assert.equal(server.take()[0].type, "unwatch");
});

test("a hidden page acknowledges at once, since its timers come late, and asks nothing by itself", async (t) => {
  const page = fakePage(t);
  const { server, welcome, tick } = await world(t);
  welcome();
  server.say({ type: "message", offset: 1, id: "m", data: 1 });
  assert.deepEqual(server.take(), []);
  page.document.hidden = true;
  page.dispatch("visibilitychange");
  assert.deepEqual(server.take(), [{ type: "ack", offset: 1 }]);
  server.say({ type: "message", offset: 2, id: "m", data: 1 });
  assert.deepEqual(server.take(), [{ type: "ack", offset: 2 }]);
  await tick(100_000);
  assert.deepEqual(server.take(), []);
});

test("what was closed for good does not listen to the page any more", async (t) => {
  const page = fakePage(t);
  const { socket, server, sockets, welcome, tick } = await world(t);
  welcome();
  socket.close();
  for (const event of ["online", "offline", "visibilitychange"]) page.dispatch(event);
  await tick(100_000);
  assert.deepEqual([server.take(), sockets.length], [[], 1]);
  socket.reconnect();
  await tick(0);
  welcome();
  page.dispatch("online");
  assert.equal(sockets[1]!.take().length, 1, "it listens once");
});

test("what happens can be followed, without tokens and contents", async (t) => {
  const words: unknown[] = [];
  const options: Options = { token: "t-secret", debug: (...said) => words.push(...said) };
  const { server, welcome } = await world(t, options);
  welcome({ resume: "r-secret" });
  server.say({ type: "message", offset: 1, id: "m", data: "d-secret" });
  server.drop();
  const text = JSON.stringify(words);
  for (const word of ["connecting", "open", "message", "closed"]) assert.match(text, new RegExp(word));
  assert.doesNotMatch(text, /secret/);
});

/** As much of a page as the library looks at. */
function fakePage(t: { after(end: () => void): void }) {
  const target = new EventTarget();
  const document = { hidden: false };
  Object.assign(globalThis, { document, addEventListener: target.addEventListener.bind(target) });
  t.after(() => {
    Reflect.deleteProperty(globalThis, "document");
    Reflect.deleteProperty(globalThis, "addEventListener");
  });
  return { document, dispatch: (event: string) => target.dispatchEvent(new Event(event)) };
}

/** The dashboard: its numbers are the cluster's, it shows what happens, and nobody else is told. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { browser, open, sides } from "./browser.js";
import { ADMIN_TOKEN, Cluster, until } from "./cluster.js";

/** Opens a socket, and then reads nothing from it. */
async function deafClient(t, { hostname, port }, token) {
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  const head = [`GET /ws?token=${token} HTTP/1.1`, `Host: ${hostname}`, "Connection: Upgrade", "Upgrade: websocket",
    "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const [answer] = await once(socket, "data");
  assert.match(String(answer), /^HTTP\/1.1 101 /);
  socket.pause();
}

/** A proxy that puts its own idea of the host into requests, as many do if nobody tells them otherwise; gives the pages' URL there. */
async function behindProxy(t, pages) {
  const { hostname, port, pathname } = new URL(pages);
  const proxy = createServer((asked, answer) => {
    const options = { hostname, port, path: asked.url, method: asked.method, headers: { ...asked.headers, host: "gateway.internal:1" } };
    asked.pipe(request(options, (told) => {
      answer.writeHead(told.statusCode, told.headers);
      told.pipe(answer);
    }));
  });
  const sockets = new Set();
  proxy.on("upgrade", (asked, client) => {
    const gateway = connect(Number(port), hostname);
    for (const socket of [client, gateway]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    const headers = Object.entries({ ...asked.headers, host: "gateway.internal:1" }).map(([name, value]) => `${name}: ${value}`);
    gateway.write(`${[`GET ${asked.url} HTTP/1.1`, ...headers].join("\r\n")}\r\n\r\n`);
    client.pipe(gateway).pipe(client);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
    proxy.closeAllConnections();
  });
  return `http://127.0.0.1:${proxy.address().port}${pathname}`;
}

/** What the gateways of a large cluster would tell. */
function crowd(told, rows) {
  const has = { sessions: 7, users: 7, in_transit: 0, expected: 0, overflows: 0 };
  const rates = { messages: 1.5, deliveries: 3, delivered_bytes: 100, client_messages: 0, arrived: 0, overflows: 0 };
  const times = (numbers, by) => Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name, number * by]));
  const worker = (number) => ({ id: `w${number}`, state: number === 7 ? "draining" : "active", weight: 1, zone: null, rpc_url: "http://10.0.0.1:1",
    share: 0.001, answers: true, has, per_second: rates });
  const all = (workers) => ({ workers, active: workers, silent: 0, share: workers / 1000, has: times(has, workers), per_second: times(rates, workers) });
  const entry = (n, more) => ({ n, at_ms: told.at_ms, ...more });
  return {
    ...told,
    at_ms: told.at_ms + 3_600_000,
    ring: { ...told.ring, slots: Array.from({ length: 360 }, (_, slot) => (slot % 10 === 0 ? slot % rows : null)) },
    totals: all(1000),
    workers: Array.from({ length: rows }, (_, number) => worker(number)),
    others: all(1000 - rows),
    gateways: [{ id: "g1", sessions: 5000 }],
    other_gateways: { gateways: 3, sessions: 2000 },
    slowest: [],
    log: [entry(1_000_000, { kind: "member", worker: "w7", is: "draining" }),
      entry(1_000_001, { kind: "handover", left: { w7: 4 }, left_others: { workers: 0, sessions: 0 }, arrived: { w8: 1 },
        arrived_others: { workers: 3, sessions: 3 } })],
  };
}

const text = (page, id) => page.locator(`#${id}`).textContent();

test("its numbers, its answers and its trials are those of the command line", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t), await browser(t)];
  await sides(await open(t, chromium, `${cluster.pages}chat`));
  const page = await open(t, chromium, `${cluster.pages}dashboard`);
  await page.locator("#live", { hasText: "live" }).waitFor();
  const { total } = await cluster.run("sessions");
  assert.equal(total, 3, "two people and the dashboard itself");
  await until("it shows all sessions", async () => (await text(page, "sessions")) === String(total));

  const { members } = await cluster.run("members");
  const rows = await page.locator("#members tr").evaluateAll((all) =>
    all.map((row) => [...row.children].slice(0, 3).map((cell) => cell.textContent)));
  assert.deepEqual(rows, members.map(({ id, state, share }) => [id, state, `${(100 * share).toFixed(1)}%`]));

  await page.locator("#lookup-user").fill("demo:alice");
  await page.getByRole("button", { name: "Look up" }).click();
  const located = await cluster.run("ring", "locate", "demo:alice");
  const why = page.locator("#lookup-answer .why");
  await why.waitFor();
  assert.equal(await why.locator("dd").first().textContent(), located.owner);
  assert.ok((await why.textContent()).includes(`${located.slot.toLocaleString("en")} of 262,144`));
  const [session] = (await cluster.run("sessions", "demo:alice")).sessions;
  assert.ok((await text(page, "lookup-answer")).includes(session.id.slice(0, 8)));

  await page.getByRole("button", { name: "Add a worker" }).click();
  const diff = await cluster.run("ring", "diff", "--add", "w4");
  const verdict = page.locator("#trial-answer .verdict");
  await verdict.filter({ hasText: `${((100 * diff.slots_moved) / 262_144).toFixed(1)}% of the ring would move` }).waitFor();
  const after = ({ after }) => `→ ${((100 * after) / 262_144).toFixed(1)}%`;
  for (const load of diff.loads) assert.ok((await text(page, "trial-answer")).includes(after(load)), load.id);
  assert.equal((await cluster.run("members")).members.length, 3, "nothing was changed");
});

test("it shows traffic, a drain and a death as they happen", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t), await browser(t)];
  const chat = await open(t, chromium, `${cluster.pages}chat`);
  await sides(chat);
  const page = await open(t, chromium, `${cluster.pages}dashboard`);
  await page.locator("#live", { hasText: "live" }).waitFor();
  await chat.getByRole("button", { name: "Let them talk" }).click();
  await until("messages flow", async () => parseFloat(await text(page, "messages")) >= 3);

  const worker = (await cluster.run("ring", "locate", "demo:alice")).owner;
  await cluster.run("drain", worker);
  await page.locator("#news li", { hasText: `${worker} drains` }).waitFor();
  await page.locator("#news li", { hasText: `${worker} hands over` }).first().waitFor();
  await page.locator("#members tr", { hasText: worker }).filter({ hasText: "draining" }).filter({ hasText: "0.0%" }).waitFor();
  await cluster.run("undrain", worker);
  await page.locator("#members tr", { hasText: worker }).filter({ hasText: "active" }).waitFor();

  await chat.getByRole("button", { name: `Kill ${worker}`, exact: true }).first().click();
  await page.locator("#news li", { hasText: `${worker} is gone` }).waitFor();
  await page.locator("#news li", { hasText: "of a lost worker" }).first().waitFor();
  await page.locator("#members tr", { hasText: worker }).waitFor();
});

test("a slow consumer is seen", async (t) => {
  const cluster = await Cluster.up(t, "sessions.queue_bytes_max=128KiB", "limits.message_bytes_max=64KiB", "sessions.window_bytes=64KiB",
    "sessions.on_slow_consumer=drop_oldest");
  const chromium = await browser(t);
  const page = await open(t, chromium, `${cluster.pages}dashboard`);
  await page.locator("#live", { hasText: "live" }).waitFor();
  await deafClient(t, new URL(cluster.pages), "carol");
  await until("its queue is full", async () => {
    // It fails when the queue is full, which is what is waited for.
    await cluster.run("send", "user", "carol", "x".repeat(60_000)).catch(() => {});
    return Number((await text(page, "slow-more")).replace(/\D/g, "")) > 0;
  });
  await page.locator("#slowest td", { hasText: "carol" }).waitFor();
  await page.locator("#news li", { hasText: "slow consumer" }).first().waitFor();
});

test("of a large cluster it shows the others together", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t), await browser(t)];
  const page = await open(t, chromium, `${cluster.pages}dashboard`);
  await page.locator("#live", { hasText: "live" }).waitFor();
  const asked = await fetch(`${cluster.pages}api/watch`, { method: "POST" });
  const { status } = await asked.json();
  // The same observer says so, and later than anything that it says itself while this goes on.
  await cluster.run("send", "group", "ringway:dashboards", JSON.stringify(crowd(status, 100)), "--kind", "json", "--topic", "status");
  const others = page.locator("#members tr.others");
  await others.waitFor();
  assert.deepEqual(await others.locator("td").allTextContents(), ["900 others", "900 active", "90.0%", "6,300", "1,350"]);
  assert.equal(await page.locator("#members tr").count(), 101);
  assert.deepEqual([await text(page, "workers"), await text(page, "sessions"), await text(page, "messages")], ["1,000", "7,000", "1,500"]);
  assert.match(await page.locator("#ring svg").getAttribute("aria-label"), /w99 0\.1%, 900 others 90\.0%$/);
  assert.match(await text(page, "gateways"), /3 others2,000$/);
  await page.locator("#news li", { hasText: "w7 hands over 4 sessions, w8 takes over 1 session, 3 other workers together 3" }).waitFor();
  const { RINGWAY_SCREENSHOTS: directory } = process.env;
  if (directory) await page.screenshot({ path: `${directory}/crowd.png`, fullPage: true });
});

test("two of them stay open where a user may have one session", async (t) => {
  const cluster = await Cluster.up(t, "sessions.per_user_max=1", "sessions.on_conflict=replace_oldest");
  const chromium = await browser(t);
  const sockets = [0, 0];
  const watched = async (index) => {
    const page = await open(t, chromium, `${cluster.pages}icon.svg`);
    page.on("websocket", () => { sockets[index] += 1; });
    await page.goto(`${cluster.pages}dashboard`);
    await page.locator("#live", { hasText: "live" }).waitFor();
    return page;
  };
  const pages = [await watched(0), await watched(1)];
  const shown = () => Promise.all(pages.map((page) => text(page, "sessions")));
  await until("both count both", async () => (await shown()).every((sessions) => sessions === "2"));
  const { sessions } = await cluster.run("sessions");
  assert.equal(new Set(sessions.map(({ user }) => user)).size, 2);
  for (const { user } of sessions) assert.match(user, /^ringway:dashboard:[0-9a-f]{32}$/);
  assert.deepEqual(sockets, [1, 1], "neither has had to come again");
});

test("behind a proxy that puts another host into requests it works, for those with the admin token", async (t) => {
  const [cluster, chromium] = [await Cluster.fleet(t, 1), await browser(t)];
  const page = await open(t, chromium, `${await behindProxy(t, cluster.pages)}dashboard`);
  await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#live", { hasText: "live" }).waitFor();
  await page.getByRole("button", { name: "Add a worker" }).click();
  await page.locator("#trial-answer .verdict").waitFor();
});

test("nobody is told anything without the admin token, and no other token leads to the dashboards", async (t) => {
  const [cluster, chromium] = [await Cluster.fleet(t, 1), await browser(t)];
  const ask = (path, method, headers) => fetch(`${cluster.pages}api/${path}`, { method, headers });
  const paths = [["site", "GET"], ["scene", "GET"], ["users/alice", "GET"], ["trial", "POST"], ["watch", "POST"], ["passes/dashboard", "POST"],
    ["passes/demo", "POST"], ["workers/w1/kill", "POST"]];
  for (const [path, method] of paths) {
    assert.equal((await ask(path, method, {})).status, 401, path);
    assert.equal((await ask(path, method, { Authorization: `Bearer ${ADMIN_TOKEN}x` })).status, 401, path);
    const other = { Authorization: `Bearer ${ADMIN_TOKEN}`, Origin: "https://evil.example" };
    assert.equal((await ask(path, method, other)).status, 403, `${path}, for a page of another site`);
  }
  const admin = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  assert.equal((await ask("workers/w1/kill", "POST", admin)).status, 403, "nothing is played with here");
  const page = await open(t, chromium, `${cluster.pages}dashboard`);
  await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#live", { hasText: "live" }).waitFor();
  assert.ok(!page.url().includes(ADMIN_TOKEN));
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Admin token").waitFor();
});

test("whoever may join every group may not join the dashboards", async (t) => {
  const cluster = await Cluster.up(t, "client.join=*", "client.send_groups=*", "client.send_users=*", "client.watch=*");
  const page = await open(t, await browser(t), `${cluster.pages}chat`);
  await sides(page);
  const told = await page.evaluate(async () => {
    const socket = globalThis.ringway.connect("/ws", { token: "mallory" });
    const tried = (promise) => promise.then(() => "done", ({ code }) => code);
    const all = [await tried(socket.join("ringway:dashboards")),
      await tried(socket.to({ group: "ringway:dashboards" }).send("status", {})),
      await tried(socket.to({ user: "ringway:dashboard" }).send("status", {})), await tried(socket.join("tea"))];
    socket.close();
    const refused = (token) => new Promise((done) => {
      const socket = new WebSocket("/ws", ["ringway.v1.json", `token.${encodeURIComponent(token)}`]);
      socket.onopen = () => done(false);
      socket.onerror = () => done(true);
    });
    return [...all, await refused("ringway:dashboard"), await refused("mallory-ringway:dashboards"), await refused("ringway:pass.a.b")];
  });
  assert.deepEqual(told, ["not_permitted", "not_permitted", "not_permitted", "done", true, true, true]);
});

/** The chat: what is said arrives, whatever happens to the cluster meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, open, sides, tally } from "./browser.js";
import { ADMIN_TOKEN, Cluster, until } from "./cluster.js";

test("two people talk, in private and in a group, and see who is there and what became of their messages", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t), await browser(t)];
  const page = await open(t, chromium, `${cluster.pages}chat`);
  const [alice, bob] = await sides(page);

  await alice.say("hello bob");
  await bob.hears("hello bob");
  await alice.is("hello bob", "acknowledged");
  await bob.say("hello team", "group team");
  await alice.hears("hello team");
  await bob.is("hello team", "acknowledged");

  await bob.pane.getByRole("checkbox", { name: "# team" }).uncheck();
  await alice.say("is anybody here?", "group team");
  await alice.is("is anybody here?", "sent");
  assert.equal(await bob.pane.locator(".say", { hasText: "is anybody here?" }).count(), 0, "bob has left the group");
  await bob.pane.getByRole("checkbox", { name: "# team" }).check();
  await until("bob is a member again", async () => {
    await alice.say("and now?", "group team");
    return (await bob.pane.locator(".say", { hasText: "and now?" }).count()) > 0;
  });

  await alice.say("see you, carol", "person carol");
  await alice.is("see you, carol", "sent");
  assert.ok(await alice.pane.locator(".people .off", { hasText: "carol" }).isVisible());
  const other = await open(t, chromium, `${cluster.pages}chat?left=carol&right=dave`);
  const [carol] = await sides(other);
  await alice.pane.locator(".people .on", { hasText: "carol" }).waitFor();
  await carol.hears("see you, carol");
  await alice.is("see you, carol", "acknowledged");
  assert.equal((await tally(page)).missing, 0);
});

test("a back end's message is shown, too", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t), await browser(t)];
  const page = await open(t, chromium, `${cluster.pages}chat`);
  const [alice] = await sides(page);
  await cluster.run("send", "user", "demo:alice", "an invoice");
  await alice.hears("an invoice");
});

test("workers are killed and drained while they talk: nothing is missing, and nothing comes twice", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t), await browser(t)];
  const page = await open(t, chromium, `${cluster.pages}chat`);
  const [alice, bob] = await sides(page);
  const talk = page.getByRole("button", { name: "Let them talk" });
  await talk.click();
  await until("they talk", async () => (await tally(page)).acknowledged > 3);

  const first = await alice.where.textContent();
  await page.getByRole("button", { name: `Kill ${first}`, exact: true }).first().click();
  await page.locator(".note", { hasText: `${first} was killed` }).first().waitFor();
  await page.locator(".worker.dead").waitFor();
  const [second, before] = [await bob.where.textContent(), await tally(page)];
  await until("they talk on", async () => (await tally(page)).acknowledged > before.acknowledged + 3);
  await page.getByRole("button", { name: `Drain ${second}`, exact: true }).click();
  await page.locator(".note", { hasText: "bob has moved to" }).waitFor();
  await until("the dead one is back", async () => (await page.locator(".worker.dead").count()) === 0);
  await page.getByRole("button", { name: `Undrain ${second}`, exact: true }).click();
  await page.locator(".worker.draining").waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Stop them" }).click();
  await until("all is acknowledged", async () => (await tally(page))["under-way"] === 0);
  const { sent, acknowledged, missing } = await tally(page);
  assert.deepEqual([acknowledged, missing], [sent, 0]);
  for (const [from, to] of [[alice, bob], [bob, alice]]) {
    assert.deepEqual((await to.keys(":not(.own)")).sort(), (await from.keys(".own")).sort(), "each once, on the other side");
  }
  assert.equal(await page.locator(".note", { hasText: "connection is gone" }).count(), 0, "no socket was closed");
});

test("a worker process dies and the gateway is restarted: the page comes back and goes on", async (t) => {
  const [cluster, chromium] = [await Cluster.fleet(t, 2), await browser(t)];
  const page = await open(t, chromium, `${cluster.pages}chat`);
  await page.getByLabel("Admin token").fill("not the admin token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("That is not the admin token.").waitFor();
  await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  const [alice, bob] = await sides(page);
  assert.equal(await page.getByRole("button", { name: /^Kill/ }).count(), 0, "this cluster is not to play with");
  await alice.say("before");
  await alice.is("before", "acknowledged");

  const worker = await alice.where.textContent();
  await cluster.kill(worker, "SIGKILL");
  await alice.say("while a worker is dead");
  await bob.hears("while a worker is dead");
  await alice.is("while a worker is dead", "acknowledged");

  await cluster.kill("gateway", "SIGTERM");
  await until("it notices", async () => (await alice.state.textContent()) !== "online");
  await bob.say("while the gateway is down");
  await cluster.startGateway();
  await sides(page);
  await alice.hears("while the gateway is down");
  await bob.is("while the gateway is down", "acknowledged");
  assert.equal((await tally(page)).missing, 0);
});

test("passes expire while they talk, and new ones are got without a word", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t, "pages.pass_lifetime=2s"), await browser(t)];
  const page = await open(t, chromium, `${cluster.pages}chat`);
  let passes = 0;
  page.on("request", (request) => { passes += request.url().endsWith("/api/passes/demo") ? 1 : 0; });
  const [alice] = await sides(page);
  await page.getByRole("button", { name: "Let them talk" }).click();
  await until("both have had three passes", () => passes >= 6);
  await page.getByRole("button", { name: "Stop them" }).click();
  await until("all is acknowledged", async () => (await tally(page))["under-way"] === 0);
  const { sent, acknowledged, missing } = await tally(page);
  assert.deepEqual([acknowledged, missing], [sent, 0]);
  await until("alice is back", async () => (await alice.state.textContent()) === "online");
  assert.equal(await page.locator(".note.bad").count(), 0, "nobody was told that anything was wrong");
  assert.equal((await cluster.run("sessions", "demo:alice")).total, 1, "the sessions of old passes are over");
});

/** Lets a page do nothing, as a browser does with tabs that nobody looks at (a real freeze is for hidden tabs, which a browser without
 * windows has none of): no timer and no event of its sockets comes until the function that is given back is called. */
async function sleep(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Debugger.enable");
  const asleep = new Promise((done) => devtools.once("Debugger.paused", done));
  await devtools.send("Debugger.pause");
  await asleep;
  return () => devtools.send("Debugger.resume");
}

test("a page that sleeps misses nothing", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t), await browser(t)];
  const awake = await open(t, chromium, `${cluster.pages}chat?left=alice&right=bob`);
  const sleeper = await open(t, chromium, `${cluster.pages}chat?left=carol&right=dave`);
  const [[alice], [carol]] = [await sides(awake), await sides(sleeper)];
  await alice.pane.locator(".people .on", { hasText: "carol" }).waitFor();

  const wake = await sleep(sleeper);
  await alice.say("are you asleep?", "person carol");
  await alice.is("are you asleep?", "delivered");
  // Longer than it takes until it is said again.
  await new Promise((done) => setTimeout(done, 3000));
  await alice.is("are you asleep?", "delivered");
  await wake();
  await carol.hears("are you asleep?");
  await alice.is("are you asleep?", "acknowledged");
  assert.equal(await carol.pane.locator(".say", { hasText: "are you asleep?" }).count(), 1);
});

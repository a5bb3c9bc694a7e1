/** Chromium, and pages that are watched for what they must never do: break their policy, ask others, throw. */

import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { PATIENCE } from "./cluster.js";

export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 800 };
/** No sandbox: containers have none to give. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];

/** A browser that ends with the test. */
export async function browser(t) {
  const executablePath = process.env.RINGWAY_CHROMIUM || "/usr/bin/chromium";
  const started = await chromium.launch({ executablePath, args: FLAGS });
  t.after(() => started.close());
  return started;
}

/** A page of its own, as in another window. At the end of the test it must have behaved. */
export async function open(t, browser, url, options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const offences = [];
  page.on("pageerror", (error) => offences.push(`it throws: ${error.stack}`));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) offences.push(message.text());
  });
  context.on("request", (request) => {
    if (new URL(request.url()).host !== new URL(url).host) offences.push(`it asks ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    if (new URL(socket.url()).host !== new URL(url).host) offences.push(`it connects to ${socket.url()}`);
    if (socket.url().includes("token")) offences.push(`a token is in the address ${socket.url()}`);
  });
  await page.goto(url);
  t.after(async () => {
    await context.close();
    assert.deepEqual(offences, [], "what the page must never do");
  });
  return page;
}

/** The two sides of a chat, once both are connected. */
export async function sides(page) {
  await page.waitForFunction(() => document.querySelectorAll(".pane .state.good").length === 2);
  return [side(page, 0), side(page, 1)];
}

function side(page, index) {
  const pane = page.locator(".pane").nth(index);
  const rows = (kind) => pane.locator(`.log > .say${kind}`);
  return {
    pane,
    state: pane.locator(".state"),
    where: pane.locator(".where"),
    async say(text, to) {
      if (to) await pane.locator(".to").selectOption(to);
      await pane.locator(".write input").fill(text);
      await pane.locator(".write input").press("Enter");
    },
    /** Waits until this was said by the other side. */
    hears: (text) => rows(":not(.own)").filter({ hasText: text }).first().waitFor(),
    /** Waits until the message of this side is so far. */
    is: (text, state) => rows(".own").filter({ hasText: text }).locator(`.ticks.${state}`).first().waitFor(),
    keys: (kind) => rows(kind).evaluateAll((all) => all.map((row) => row.dataset.key)),
  };
}

/** The numbers above the chat. */
export function tally(page) {
  return page.evaluate(() => Object.fromEntries(["sent", "acknowledged", "under-way", "missing"].map((id) =>
    [id, Number(document.getElementById(id).textContent.replaceAll(",", ""))])));
}

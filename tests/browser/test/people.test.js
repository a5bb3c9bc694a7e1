/** The pages are for everybody: with a keyboard, on a phone, in the dark. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { browser, DESKTOP, open, PHONE, sides } from "./browser.js";
import { Cluster } from "./cluster.js";

/** Goes through a page with the tabulator and tells on what it has been, until it is where it began. */
async function walk(page) {
  const seen = [];
  for (let step = 0; step < 80; step++) {
    await page.keyboard.press("Tab");
    const told = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const name = element.ariaLabel || element.labels?.[0]?.textContent || element.textContent || element.getAttribute("aria-labelledby");
      return { name: name?.trim(), isMarked: outlineStyle !== "none" && parseFloat(outlineWidth) > 0 };
    });
    if (told === null || (step > 0 && told.name === seen[0].name)) return seen;
    seen.push(told);
  }
  throw Error("the tabulator does not come back");
}

test("all of it can be done with the keyboard", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t), await browser(t)];
  const chat = await open(t, chromium, `${cluster.pages}chat`);
  const [, bob] = await sides(chat);
  for (const { name, isMarked } of await walk(chat)) {
    assert.ok(name, "whatever has the focus has a name");
    assert.ok(isMarked, `one sees that ${name} has the focus`);
  }
  await chat.keyboard.press("Tab");
  await chat.keyboard.press("Enter");
  assert.equal(await chat.evaluate(() => document.activeElement.id), "panes", "the first stop leads to the chat");
  for (let step = 0; step < 12 && (await chat.evaluate(() => document.activeElement.type)) !== "text"; step++) {
    await chat.keyboard.press("Tab");
  }
  await chat.keyboard.type("by keyboard");
  await chat.keyboard.press("Enter");
  await bob.hears("by keyboard");

  const dashboard = await open(t, chromium, `${cluster.pages}dashboard`);
  await dashboard.locator("#live", { hasText: "live" }).waitFor();
  const stops = await walk(dashboard);
  for (const { name, isMarked } of stops) assert.ok(name && isMarked, `${name} is marked`);
  for (const wanted of ["Chat", "User", "Look up", "Weight of w1", "w1 leaves", "Add a worker"]) {
    assert.ok(stops.some(({ name }) => name === wanted), `${wanted} can be reached`);
  }
  await dashboard.locator("#lookup-user").focus();
  await dashboard.keyboard.type("demo:bob");
  await dashboard.keyboard.press("Enter");
  await dashboard.locator("#lookup-answer .why").waitFor();
  await dashboard.getByLabel("w1 leaves").focus();
  await dashboard.keyboard.press("Space");
  await dashboard.locator("#trial-answer .verdict").waitFor();
});

/** The texts whose contrast is less than WCAG 2.2 asks for (1.4.3): 4.5, or 3 for large ones. */
function weakTexts() {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return colour.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((part, at) => part * a + below[at] * (1 - a));
  const backgroundOf = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const weak = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    if (own.length === 0 || element.closest("svg, template, :disabled") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const background = backgroundOf(element);
    const [one, other] = [luminance(over(parse(style.color), background)), luminance(background)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (isLarge ? 3 : 4.5)) weak.push(`${own[0].textContent.trim()}: ${contrast.toFixed(2)}`);
  }
  return weak;
}

test("they are legible on a phone and on a desktop, in the light and in the dark", async (t) => {
  const [cluster, chromium] = [await Cluster.up(t), await browser(t)];
  for (const [name, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    for (const colorScheme of ["light", "dark"]) {
      const chat = await open(t, chromium, `${cluster.pages}chat`, { viewport, colorScheme });
      const [alice, bob] = await sides(chat);
      await alice.say("hello");
      await alice.is("hello", "acknowledged");
      await bob.say("a long one: ".padEnd(200, "ö"));
      const dashboard = await open(t, chromium, `${cluster.pages}dashboard`, { viewport, colorScheme });
      await dashboard.locator("#live", { hasText: "live" }).waitFor();
      await dashboard.locator("#lookup-user").fill("demo:alice");
      await dashboard.locator("#lookup-user").press("Enter");
      await dashboard.locator("#lookup-answer table").waitFor();
      await dashboard.getByRole("button", { name: "Add a worker" }).click();
      await dashboard.locator("#trial-answer .verdict").waitFor();
      for (const [what, page] of [["chat", chat], ["dashboard", dashboard]]) {
        const where = `${what}, ${name}, ${colorScheme}`;
        const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        assert.ok(wide <= room, `${where}: ${wide} pixels do not fit into ${room}`);
        assert.deepEqual(await page.evaluate(weakTexts), [], where);
        await photograph(page, `${what}-${name}-${colorScheme}`);
        await page.evaluate(() => { document.body.style.color = "gray"; });
        assert.notDeepEqual(await page.evaluate(weakTexts), [], "the measure sees what is weak");
      }
    }
  }
});

/** For eyes, if somebody wants to look: RINGWAY_SCREENSHOTS names a directory. */
async function photograph(page, name) {
  const directory = process.env.RINGWAY_SCREENSHOTS;
  if (!directory) return;
  mkdirSync(directory, { recursive: true });
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true });
}

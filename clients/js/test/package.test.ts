/** The package: that it is small, complete, and works where nothing of this repository is. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { FakeWebSocket, WELCOME } from "./fake.js";

const SIZE_MAX = 5_000;
const SCRIPT = "dist/ringway.min.js";

test("the script is smaller than 5 KB, gzipped", (t) => {
  const size = gzipSync(readFileSync(SCRIPT), { level: 9 }).length;
  t.diagnostic(`${size} bytes`);
  assert.ok(size < SIZE_MAX, `${size} bytes, of ${SIZE_MAX} at the most`);
});

test("the lock file names no registry", () => {
  assert.doesNotMatch(readFileSync("package-lock.json", "utf8"), /"resolved"|registry/);
});

test("there is nothing that it needs", () => {
  const { dependencies, peerDependencies, optionalDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  assert.deepEqual([dependencies, peerDependencies, optionalDependencies], [undefined, undefined, undefined]);
  assert.doesNotMatch(readFileSync("dist/index.js", "utf8"), /^import /m);
});

test("what npm packs is complete: it is imported, typed, and run as a script", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringway-client-"));
  const run = (command: string, ...given: string[]) =>
    execFileSync(command, given, { cwd: directory, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  try {
    execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], { stdio: "ignore" });
    const [archive] = readdirSync(directory);
    run("mkdir", "-p", "node_modules/ringway-client");
    run("tar", "-xzf", archive!, "-C", "node_modules/ringway-client", "--strip-components=1");
    const packed = readdirSync(join(directory, "node_modules/ringway-client"));
    assert.deepEqual(packed.sort(), ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "dist", "package.json"]);

    writeFileSync(join(directory, "use.mjs"), 'import * as all from "ringway-client"; console.log(Object.keys(all).sort().join());');
    assert.equal(run(process.execPath, "use.mjs").trim(), "RingwayError,connect");

    writeFileSync(join(directory, "use.ts"), TYPED);
    const tsc = join(process.cwd(), "node_modules/typescript/bin/tsc");
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", ""];
    run(process.execPath, tsc, ...options, "use.ts");
    assert.throws(() => {
      writeFileSync(join(directory, "use.ts"), TYPED.replace("text: string", "text: number"));
      run(process.execPath, tsc, ...options, "use.ts");
    }, "a wrong type is found");

    await runScript(readFileSync(join(directory, "node_modules/ringway-client", SCRIPT), "utf8"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("the example page has the script as it is built", () => {
  const copy = readFileSync("../../examples/page/ringway.min.js", "utf8");
  assert.equal(copy, readFileSync(SCRIPT, "utf8"), "cp clients/js/dist/ringway.min.js examples/page/");
});

const TYPED = `
import { connect, RingwayError, type Message, type Receipt } from "ringway-client";
interface Topics { chat: { text: string }; typing: boolean }
const socket = connect<Topics>("/ws", { token: async () => "token" });
socket.on("chat", ({ text }, message: Message) => { const said: string = text; message.ack(); });
socket.events.on("closed", ({ willRetry, reason }) => { const words: [boolean, string] = [willRetry, reason]; });
const receipt: Promise<Receipt> = socket.to({ user: "bob" }).send("typing", true, { volatile: true });
receipt.catch((error: RingwayError) => error.code === "not_permitted");
`;

/** As a browser does that has no modules: the script makes a global `ringway`. */
async function runScript(script: string): Promise<void> {
  const sockets: FakeWebSocket[] = [];
  const page: Record<string, any> = createContext({
    URL, AbortController, setTimeout, clearTimeout, queueMicrotask,
    WebSocket: class extends FakeWebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    },
  });
  runInContext(script, page);
  const socket = page.ringway.connect("ws://gateway/ws", { token: "alice" });
  const heard: unknown[] = [];
  socket.on("chat", (data: unknown) => heard.push(data));
  await new Promise((resolve) => setTimeout(resolve, 5));
  sockets[0]!.accept();
  sockets[0]!.say(WELCOME);
  sockets[0]!.say({ type: "message", offset: 1, id: "m", topic: "chat", data: "hi" });
  socket.close();
  assert.equal(heard[0], "hi");
}

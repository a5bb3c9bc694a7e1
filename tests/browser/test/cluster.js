/** Real clusters: processes of the binary `RINGWAY_BIN` on loopback. */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** How long anything may take. */
export const PATIENCE = 30_000;
export const ADMIN_TOKEN = "the-admin-token-of-this-test";
const ANY = "127.0.0.1:0";

export class Cluster {
  #directory = mkdtempSync(join(tmpdir(), "ringway-pages-"));
  #secret = join(this.#directory, "secret");
  #processes = new Map();
  #gateway;
  #node;

  constructor(t) {
    writeFileSync(this.#secret, randomBytes(32).toString("hex"));
    t.after(() => this.#end());
  }

  /** A gateway and three workers in one process, to play with. */
  static async up(t, ...settings) {
    const cluster = new Cluster(t);
    const listen = ["--listen", ANY, "--rpc-listen", ANY, "--workers-listen", ANY];
    const ready = await cluster.#start("up", ["up", ...listen, ...set(settings)]);
    cluster.#secret = ready.secret_file;
    cluster.#node = ready.rpc;
    cluster.pages = ready.pages;
    return cluster;
  }

  /** A gateway with pages behind an admin token, and so many workers, each a process. */
  static async fleet(t, workers) {
    const cluster = new Cluster(t);
    const seed = `127.0.0.1:${await freePort()}`;
    const joins = ["--join", seed, "--secret-file", cluster.#secret];
    for (let number = 1; number <= workers; number++) {
      await cluster.#start(`w${number}`, ["worker", "--id", `w${number}`, "--rpc-listen", number === 1 ? seed : ANY, ...joins]);
    }
    const clients = `127.0.0.1:${await freePort()}`;
    const pages = ["pages.enabled=true", `pages.admin_token=${ADMIN_TOKEN}`, "gateway.drain_window=0s"];
    cluster.#gateway = ["gateway", "--listen", clients, "--rpc-listen", ANY, ...joins, ...set(pages)];
    cluster.pages = `http://${clients}/ringway/`;
    await cluster.startGateway();
    await until("all workers are there", async () => {
      const { members } = await cluster.run("members");
      return members.filter(({ state }) => state === "active").length === workers;
    });
    return cluster;
  }

  async startGateway() {
    this.#node = (await this.#start("gateway", this.#gateway)).rpc;
  }

  /** Runs a subcommand that asks a node; gives its JSON. */
  async run(...given) {
    const node = ["--node", this.#node, "--secret-file", this.#secret, "--json"];
    const options = { timeout: PATIENCE, env: environment(this.#directory) };
    return JSON.parse((await promisify(execFile)(binary(), [...given, ...node], options)).stdout);
  }

  /** Ends a process, in order or at once, and waits for its end. */
  async kill(name, signal) {
    const child = this.#processes.get(name);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  async #start(name, given) {
    const options = { env: environment(this.#directory), stdio: ["ignore", "pipe", "inherit"] };
    const child = spawn(binary(), [...given, "--log", "error"], options);
    this.#processes.set(name, child);
    for await (const line of createInterface(child.stdout)) {
      if (line.startsWith("ready ")) return JSON.parse(line.slice("ready ".length));
    }
    throw Error(`${name} does not start`);
  }

  #end() {
    for (const child of this.#processes.values()) child.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true });
  }
}

/** Waits until something is so. */
export async function until(what, isSo) {
  const deadline = Date.now() + PATIENCE;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, `${what}: not after ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function binary() {
  const { RINGWAY_BIN } = process.env;
  assert.ok(RINGWAY_BIN, "RINGWAY_BIN must name the binary: cargo build --release, then RINGWAY_BIN=target/release/ringway");
  return RINGWAY_BIN;
}

/** Ours, without what would configure the binary. */
function environment(directory) {
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith("RINGWAY_"));
  return { ...Object.fromEntries(ours), XDG_STATE_HOME: directory };
}

function set(settings) {
  return settings.flatMap((setting) => ["--set", setting]);
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Real clusters: processes of the binary `RINGWAY_BIN` on loopback, and a proxy whose connections a test cuts. */

import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, createServer, type AddressInfo, type Socket as TcpSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

/** How long anything may take. */
export const PATIENCE = 20_000;
const ANY = "127.0.0.1:0";
/** What clients may do: whatever they like. */
const PERMISSIONS = ["client.join=*", "client.send_users=*", "client.send_groups=*", "client.watch=*"];

/** What a node says once it is ready. */
interface Ready {
  client: string;
  rpc: string;
  secret_file: string;
}

export class Cluster {
  readonly #directory = mkdtempSync(join(tmpdir(), "ringway-"));
  #secret = join(this.#directory, "secret");
  readonly #processes = new Map<string, ChildProcess>();
  #node = "";
  /** Where clients connect. */
  client = "";

  private constructor(t: TestContext) {
    writeFileSync(this.#secret, randomBytes(32).toString("hex"));
    t.after(() => this.#end());
  }

  /** A gateway and three workers in one process. */
  static async up(t: TestContext, ...settings: string[]): Promise<Cluster> {
    const cluster = new Cluster(t);
    const listen = ["--listen", ANY, "--rpc-listen", ANY, "--workers-listen", ANY];
    const ready = await cluster.#start("up", ["up", ...listen, ...set(...PERMISSIONS, ...settings)]);
    cluster.#secret = ready.secret_file;
    cluster.#takes(ready);
    return cluster;
  }

  /** A gateway and so many workers, each a process, that find each other by gossip. */
  static async fleet(t: TestContext, workers: number): Promise<Cluster> {
    const cluster = new Cluster(t);
    const seed = `127.0.0.1:${await freePort()}`;
    for (let number = 1; number <= workers; number++) {
      const listen = ["--id", `w${number}`, "--rpc-listen", number === 1 ? seed : ANY, ...cluster.#joins(seed)];
      await cluster.#start(`w${number}`, ["worker", ...listen]);
    }
    const listen = ["--listen", ANY, "--rpc-listen", ANY, ...cluster.#joins(seed)];
    cluster.#takes(await cluster.#start("gateway", ["gateway", ...listen, ...set(...PERMISSIONS)]));
    await until("all workers are there", async () => (await cluster.members()).length === workers);
    return cluster;
  }

  /** Runs a subcommand that asks a node; gives its JSON. */
  async run(...given: string[]): Promise<any> {
    const node = ["--node", this.#node, "--secret-file", this.#secret, "--json"];
    return JSON.parse(await this.#ask([...given, ...node]));
  }

  /** A token for the mode `jwt`. */
  async token(secret: string, user: string, ttl: string): Promise<string> {
    return (await this.#ask(["token", "--user", user, "--secret", secret, "--ttl", ttl])).trim();
  }

  /** The workers that have a share of the ring. */
  async members(): Promise<{ id: string }[]> {
    return (await this.run("members")).members.filter(({ state }: { state: string }) => state === "active");
  }

  /** The worker that holds the user's session. */
  async workerOf(user: string): Promise<string> {
    return (await this.run("presence", "get", user)).users[0].worker;
  }

  /** Ends a process: in order, or at once. */
  kill(name: string, signal: "SIGTERM" | "SIGKILL"): void {
    this.#processes.get(name)!.kill(signal);
  }

  async #ask(given: string[]): Promise<string> {
    const options = { timeout: PATIENCE, env: environment(this.#directory) };
    return (await promisify(execFile)(binary(), given, options)).stdout;
  }

  #joins(seed: string): string[] {
    return ["--join", seed, "--secret-file", this.#secret];
  }

  #takes({ client, rpc }: Ready): void {
    this.client = client;
    this.#node = rpc;
  }

  async #start(name: string, given: string[]): Promise<Ready> {
    const env = environment(this.#directory);
    const child = spawn(binary(), [...given, "--log", "error"], { env, stdio: ["ignore", "pipe", "inherit"] });
    this.#processes.set(name, child);
    for await (const line of createInterface(child.stdout!)) {
      if (line.startsWith("ready ")) return JSON.parse(line.slice("ready ".length));
    }
    throw Error(`${name} does not start`);
  }

  async #end(): Promise<void> {
    for (const child of this.#processes.values()) child.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true });
  }
}

/** What lies between a client and its gateway. */
export class Proxy {
  readonly #server = createServer((client) => this.#carry(client));
  readonly #connections = new Set<TcpSocket>();
  #target: URL;
  cuts = 0;

  private constructor(target: string) {
    this.#target = new URL(target);
  }

  static async before(t: TestContext, target: string): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      proxy.cut();
      proxy.#server.close();
    });
    return proxy;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `ws://127.0.0.1:${port}${this.#target.pathname}`;
  }

  /** Breaks all connections: no goodbye, no close frame. */
  cut(): void {
    this.cuts++;
    for (const socket of this.#connections) socket.destroy();
  }

  /** Lets nothing through any more on the connections there are, and says nothing. */
  freeze(): void {
    for (const socket of this.#connections) socket.pause();
  }

  /** What was held back goes on. */
  thaw(): void {
    for (const socket of this.#connections) socket.resume();
  }

  #carry(client: TcpSocket): void {
    const gateway = connectTcp(Number(this.#target.port), this.#target.hostname);
    for (const [one, other] of [[client, gateway], [gateway, client]] as const) {
      this.#connections.add(one);
      one.on("data", (data) => other.write(data));
      one.on("error", () => {}); // It is cut on purpose.
      one.on("close", () => {
        this.#connections.delete(one);
        other.destroy();
      });
    }
  }
}

/** Waits until something is so. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, `${what}: not after ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function binary(): string {
  const { RINGWAY_BIN } = process.env;
  assert.ok(RINGWAY_BIN, "RINGWAY_BIN must name the binary: cargo build --release, then RINGWAY_BIN=target/release/ringway");
  return RINGWAY_BIN;
}

/** Ours, without what would configure the binary. */
function environment(directory: string): NodeJS.ProcessEnv {
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith("RINGWAY_"));
  return { ...Object.fromEntries(ours), XDG_STATE_HOME: directory };
}

function set(...settings: string[]): string[] {
  return settings.flatMap((setting) => ["--set", setting]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// Builds the package into dist/: a module, a plain script, and types. With --tests: the tests, into build/.

import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));

if (process.argv.includes("--tests")) await buildTests();
else await buildPackage();

async function buildPackage() {
  rmSync("dist", { recursive: true, force: true });
  for (const license of ["LICENSE-APACHE", "LICENSE-MIT"]) cpSync(`../../${license}`, license);
  const shared = { bundle: true, target: "es2022", logLevel: "warning" };
  await Promise.all([
    build({ ...shared, entryPoints: ["src/index.ts"], format: "esm", sourcemap: true, outfile: "dist/index.js" }),
    build({ ...shared, entryPoints: ["src/global.ts"], format: "iife", minify: true, outfile: "dist/ringway.min.js" }),
  ]);
  const tsc = fileURLToPath(new URL("node_modules/typescript/bin/tsc", import.meta.url));
  execFileSync(process.execPath, [tsc, "--project", "tsconfig.build.json"], { stdio: "inherit" });
}

async function buildTests() {
  rmSync("build", { recursive: true, force: true });
  const entryPoints = readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
  await build({
    entryPoints,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    sourcemap: true,
    outdir: "build",
    logLevel: "warning",
  });
}

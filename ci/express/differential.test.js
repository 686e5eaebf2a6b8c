// Thousands of random scripts, each played on express-session and on the Rust implementation.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as generate from "./lib/generate.js";
import { withProbes } from "./lib/probes.js";
import { Random } from "./lib/random.js";
import { inProcess, outside } from "./lib/rows.js";
import { play } from "./lib/run.js";
import { shrink, shrinkOptions } from "./lib/shrink.js";

const SEED = Number(process.env.SEED ?? Date.now() % 1e9);
const SCRIPTS = Number(process.env.SCRIPTS ?? 3000);
const PER_OPTIONS = 40;
const AT_ONCE = 8;
console.log(`SEED=${SEED} SCRIPTS=${SCRIPTS}`);

const seen = new Map();
const stores = { memory: "memory:" };
if (process.env.SESSION_TEST_REDIS_URL) stores.redis = process.env.SESSION_TEST_REDIS_URL;

for (const [name, url] of Object.entries(stores)) {
  const count = Math.ceil(SCRIPTS / Object.keys(stores).length);
  test(`${count} scripts on ${name}`, async () => {
    const look = name === "memory" ? null : await outside(url);
    try {
      const random = new Random(SEED + name.length);
      for (let done = 0; done < count; done += PER_OPTIONS) {
        await batch(url, look, generate.options(random), random, Math.min(PER_OPTIONS, count - done));
      }
    } finally {
      await look?.close();
    }
  });
}

async function batch(url, look, options, random, count) {
  const scripts = Array.from({ length: count }, () => generate.script(random, options));
  await withProbes(url, options, async (node, rust) => {
    const run = (script) => play(script, context(options, node, rust, look, seen));
    const waiting = [...scripts];
    let failing = null;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let script; !failing && (script = waiting.pop()); ) {
          if ((await run(script)).length > 0) failing = script;
        }
      }),
    );
    if (!failing) return;
    const small = await shrink(failing, run);
    const fewer = await shrinkOptions(options, (options) =>
      withProbes(url, options, (node, rust) => play(small, context(options, node, rust, look))).catch(() => []),
    );
    const problems = await run(small);
    assert.fail(`SEED=${SEED}\noptions ${JSON.stringify(fewer)}\nscript ${JSON.stringify(small, null, 1)}\n${problems.join("\n")}`);
  });
}

function context(options, node, rust, look, seen) {
  const rows = { node: (look ?? inProcess(node)).get, other: (look ?? inProcess(rust)).get };
  return { options, node, pick: () => rust, rows, seen };
}

after(() => console.log(`departures met: ${JSON.stringify(Object.fromEntries([...seen].sort(([a], [b]) => a - b)))}`));

// Many random scripts: played, and the first that fails made small.
import assert from "node:assert/strict";
import * as generate from "./generate.js";
import { start } from "./probes.js";
import { Random } from "./random.js";
import { outside } from "./rows.js";
import { play } from "./run.js";
import { shrink, shrinkOptions } from "./shrink.js";

export const SEED = Number(process.env.SEED ?? Date.now() % 1e9);
export const SCRIPTS = Number(process.env.SCRIPTS ?? 2000);
const PER_OPTIONS = 50;
/** So many sets of options are tried side by side: while the probes of one start, another one plays. */
const LANES = 2;
/** So many scripts of each play at the same time. */
const AT_ONCE = 5;

/** The departures that were met, by number, and how often. */
export const seen = new Map();

/**
 * Plays `count` scripts on the store of `url`. `arrange(probes, random)` says who serves the
 * requests of a script and how the rows are looked at: what `play` takes.
 */
export async function campaign(name, url, count, arrange) {
  const random = new Random([...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), SEED));
  const batches = [];
  for (let done = 0; done < count; done += PER_OPTIONS) {
    const options = generate.options(random);
    const scripts = Array.from({ length: Math.min(PER_OPTIONS, count - done) }, () => ({
      script: generate.script(random, options),
      seed: random.int(2 ** 32),
    }));
    batches.push({ options, scripts });
  }
  let failed = false;
  const lane = async () => {
    for (let next; !failed && (next = batches.shift()); ) {
      try {
        await batch(url, next.options, next.scripts, arrange);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  // To their ends, whatever comes of the others: they have probes to stop.
  const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
  const broken = ends.find(({ status }) => status === "rejected");
  if (broken) throw broken.reason;
}

async function batch(url, options, scripts, arrange) {
  await withProbes(url, options, async (probes) => {
    const run = (script, seed, seen) => play(script, { options, seen, ...arrange(probes, new Random(seed)) });
    const waiting = [...scripts];
    let failing = null;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let next; !failing && (next = waiting.pop()); ) {
          const problems = await run(next.script, next.seed, seen);
          if (problems.length > 0) failing = { ...next, problems };
        }
      }),
    );
    if (!failing) return;
    const { seed } = failing;
    const small = await shrink(failing.script, (script) => run(script, seed));
    const fewer = await shrinkOptions(options, (options) =>
      withProbes(url, options, (probes) =>
        play(small, { options, ...arrange(probes, new Random(seed)) }),
      ).catch(() => []),
    );
    const problems = await run(small, seed);
    const again = problems.length > 0 ? problems : ["(not every time; at first:)", ...failing.problems];
    const shown = small.map((request) => JSON.stringify(request)).join("\n");
    assert.fail(`SEED=${SEED}\noptions ${JSON.stringify(fewer)}\n${shown}\n${again.join("\n")}`);
  });
}

/** Plays scripts on a fleet of both: each request goes to either runtime, over one store. */
export async function mixed(name, url, count) {
  const look = await outside(url);
  try {
    await campaign(`mixed ${name}`, url, count, ({ node, rust }, random) => ({
      node,
      pick: () => (random.chance(0.5) ? rust : node),
      rows: { node: look.get, other: look.get },
    }));
  } finally {
    await look.close();
  }
}

/** One probe of each runtime over the same store, for as long as `work` takes. */
export async function withProbes(store, options, work) {
  // One after the other: connect-pg-simple fails where somebody else makes its table meanwhile.
  const rust = await start("rust", store, options);
  try {
    const node = await start("node", store, options);
    try {
      return await work({ node, rust });
    } finally {
      await node.stop();
    }
  } finally {
    await rust.stop();
  }
}

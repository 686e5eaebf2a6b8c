// Random scripts, each played on express-session and on the Rust implementation: the same
// answers, the same cookies, and the same rows in the end.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SCRIPTS, SEED, campaign, seen } from "./lib/campaign.js";
import { inProcess, outside } from "./lib/rows.js";
import { servers } from "./lib/servers.js";

const stores = { memory: "memory:", redis: servers.redis };

console.log(`SEED=${SEED} SCRIPTS=${SCRIPTS}`);
after(() => console.log(`departures met: ${JSON.stringify(Object.fromEntries([...seen].sort()))}`));

for (const [name, share] of [
  ["memory", 0.6],
  ["redis", 0.4],
]) {
  const count = Math.ceil(SCRIPTS * share);
  test(`${count} scripts on ${name}`, async () => {
    const url = stores[name];
    const look = name === "memory" ? null : await outside(url);
    try {
      await campaign(name, url, count, ({ node, rust }) => ({
        node,
        pick: () => rust,
        rows: { node: (look ?? inProcess(node)).get, other: (look ?? inProcess(rust)).get },
      }));
    } finally {
      await look?.close();
    }
  });
}

// Each of these is met a hundred times in a run of the usual length. The others have a test of their
// own in departures.test.js.
if (SCRIPTS >= 1_000) {
  test("the departures that any run meets were met", () => {
    for (const number of [4, 5, 6, 8, 11, 12, 13]) assert.ok(seen.get(number) > 0, `departure ${number}`);
  });
}

// A fleet of both: each request of a script goes to either runtime, over one store. The answers
// must be those of a run on express-session alone.
import { test } from "node:test";
import { SCRIPTS, campaign } from "./lib/campaign.js";
import { outside } from "./lib/rows.js";
import { shared } from "./lib/servers.js";

for (const [name, make] of Object.entries(shared)) {
  const count = Math.ceil(SCRIPTS / 10);
  test(`${count} scripts on a mixed fleet over ${name}`, async () => {
    const url = await make();
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
  });
}

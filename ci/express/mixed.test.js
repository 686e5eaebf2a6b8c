// A fleet of both: each request of a script goes to either runtime, over one store. The answers
// must be those of a run on express-session alone.
import { test } from "node:test";
import { SCRIPTS, mixed } from "./lib/campaign.js";
import { shared } from "./lib/servers.js";

for (const [name, make] of Object.entries(shared)) {
  const count = Math.ceil(SCRIPTS / 10);
  test(`${count} scripts on a mixed fleet over ${name}`, async () => mixed(name, await make(), count));
}

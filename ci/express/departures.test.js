// The departures that one browser's random script does not meet, and the end of sessions: what
// express-session does, and what is done here instead.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withProbes } from "./lib/campaign.js";
import { sign } from "./lib/cookies.js";
import { send } from "./lib/http.js";
import { outside } from "./lib/rows.js";
import { servers } from "./lib/servers.js";

const options = { secret: "keyboard cat", resave: false, saveUninitialized: false, cookie: { maxAge: 3_600_000 } };
const cookieOf = (answer) => answer.setCookies[0]?.split(";")[0];
const set = (value) => ({ op: "set", key: "a", value });

/** The same story on both runtimes, with what each is expected to tell. */
function story(title, store, expected, tell, changed = {}) {
  test(title, () =>
    withProbes(store(), { ...options, ...changed }, async (probes) => {
      for (const [runtime, wanted] of Object.entries(expected)) {
        const visit = (cookie, ...steps) => send(probes[runtime], { headers: cookie ? { cookie } : {}, steps });
        assert.deepEqual(await tell(visit), wanted, runtime);
      }
    }),
  );
}

const memory = () => "memory:";

story(
  "2: a slow request does not bring back a session that was destroyed meanwhile",
  memory,
  { node: [2], rust: [null] },
  async (visit) => {
    const cookie = cookieOf(await visit(null, set(1)));
    const slow = visit(cookie, { op: "sleep", ms: 300 }, set(2));
    await sleep(100);
    await visit(cookie, { op: "destroy" });
    await slow;
    return (await visit(cookie, { op: "get", key: "a" })).results;
  },
);

story(
  "2: concurrent requests keep each other's changes",
  memory,
  { node: [{ seed: 0, b: 1 }], rust: [{ seed: 0, a: 1, b: 1 }] },
  async (visit) => {
    const cookie = cookieOf(await visit(null, { op: "set", key: "seed", value: 0 }));
    const slow = visit(cookie, { op: "set", key: "b", value: 1 }, { op: "sleep", ms: 300 });
    await sleep(100);
    await visit(cookie, set(1));
    await slow;
    const [data] = (await visit(cookie, { op: "data" })).results;
    return [data];
  },
);

story(
  "9: a reload that finds another request's change is no change of its own",
  memory,
  { node: [true, 2], rust: [false, 2] },
  async (visit) => {
    const cookie = cookieOf(await visit(null, set(1)));
    const slow = visit(cookie, { op: "sleep", ms: 300 }, { op: "reload" }, { op: "get", key: "a" });
    await sleep(100);
    await visit(cookie, set(2));
    const { setCookies, results } = await slow;
    return [setCookies.length > 0, results[2]];
  },
);

test("10: a row that cannot be read is left alone, and its visitor gets a new session", async () => {
  const look = await outside(servers.redis);
  try {
    await withProbes(servers.redis, { ...options, unset: "destroy" }, async ({ node, rust }) => {
      for (const [probe, status, left] of [
        [node, 500, null],
        [rust, 200, "no JSON"],
      ]) {
        const id = `unreadable-${probe.runtime}-${process.pid}`;
        await look.write(id, "no JSON", 60_000);
        const cookie = `connect.sid=${encodeURIComponent(sign(id, options.secret))}`;
        const answer = await send(probe, { headers: { cookie }, steps: [set(1)] });
        assert.deepEqual([answer.status, (await look.texts([id]))[0]], [status, left], probe.runtime);
      }
    });
  } finally {
    await look.close();
  }
});

// The time is real here: where a request took so long that the end was near, the story is told again.
for (const [title, wait, wanted] of [
  ["a session is there before its end", 0, 1],
  ["and gone after it", 600, null],
]) {
  story(
    title,
    memory,
    { node: wanted, rust: wanted },
    async (visit) => {
      for (;;) {
        const first = await visit(null, set(1));
        await sleep(wait);
        const second = await visit(cookieOf(first), { op: "get", key: "a" });
        if (wait > 0 || second.received - first.sent < 300) return second.results[0];
      }
    },
    { cookie: { maxAge: 500 } },
  );
}

// The departures that one browser's random script does not meet, and the end of sessions: what
// express-session does, and what is done here instead.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withProbes } from "./lib/campaign.js";
import { parse, sign, unsign } from "./lib/cookies.js";
import { send } from "./lib/http.js";
import { behindProxy } from "./lib/outage.js";
import { outside } from "./lib/rows.js";
import { servers } from "./lib/servers.js";

const HOUR = 3_600_000;
const options = { secret: "keyboard cat", resave: false, saveUninitialized: false, cookie: { maxAge: HOUR } };
const cookieOf = (answer) => answer.setCookies[0]?.split(";")[0];
const set = (value) => ({ op: "set", key: "a", value });

/** The same story on both runtimes, with what each is expected to tell. */
function story(title, store, expected, tell, changed = {}) {
  test(title, () =>
    withProbes(store(), { ...options, ...changed }, async (probes) => {
      for (const [runtime, wanted] of Object.entries(expected)) {
        const visit = (cookie, ...steps) => send(probes[runtime], { headers: cookie ? { cookie } : {}, steps });
        visit.to = (path, ...steps) => send(probes[runtime], { path, steps });
        assert.deepEqual(await tell(visit), wanted, runtime);
      }
    }),
  );
}

const memory = () => "memory:";

/**
 * A request that begins before another one and ends after it; answers with what came of the steps
 * `late` that it takes then. Only it knows the order in which things have happened: it looks at its
 * session first and into the store before `late`, and where that is not as it has to be, because
 * the machine was busy, all of it is done again with more time. `beside` serves the other request.
 */
async function around(visit, first, early, quick, late, happened, beside = visit) {
  for (let ms = 200; ; ms *= 2) {
    const cookie = cookieOf(await visit(null, ...first));
    const id = unsign(cookie.slice(cookie.indexOf("=") + 1), options.secret);
    const slow = visit(cookie, { op: "data" }, ...early, { op: "sleep", ms }, { op: "store", id }, ...late);
    await sleep(ms / 3);
    await beside(cookie, quick);
    const answer = await slow;
    const [before, stored] = [answer.results[0], answer.results[early.length + 2]];
    const started = JSON.stringify(before) === JSON.stringify(Object.fromEntries(first.map(({ key, value }) => [key, value])));
    if (started && happened(stored)) {
      const [data] = (await visit(cookie, { op: "data" })).results;
      return { ...answer, late: answer.results.slice(early.length + 3), data };
    }
    assert.ok(ms < 60_000, "the requests never overlapped");
  }
}

story(
  "2: a slow request does not bring back a session that was destroyed meanwhile",
  memory,
  { node: { a: 2 }, rust: {} },
  async (visit) => {
    const gone = (stored) => stored === null;
    return (await around(visit, [set(1)], [], { op: "destroy" }, [set(2)], gone)).data;
  },
);

story(
  "2: concurrent requests keep each other's changes",
  memory,
  { node: { seed: 0, b: 1 }, rust: { seed: 0, a: 1, b: 1 } },
  async (visit) => {
    const early = [{ op: "set", key: "b", value: 1 }];
    const written = (stored) => stored?.a === 1;
    return (await around(visit, [{ op: "set", key: "seed", value: 0 }], early, set(1), [], written)).data;
  },
);

// What the guide says of routes that must not lose updates.
test("2: in a mixed fleet, it is a request to express-session that undoes what Rust has done meanwhile", () =>
  withProbes(servers.redis, options, async ({ node, rust }) => {
    const [ofNode, ofRust] = [node, rust].map(
      (probe) =>
        (cookie, ...steps) =>
          send(probe, { headers: cookie ? { cookie } : {}, steps }),
    );
    for (const [runtime, slow, beside, revived, merged] of [
      ["node", ofNode, ofRust, { a: 2 }, { seed: 0, b: 1 }],
      ["rust", ofRust, ofNode, {}, { seed: 0, a: 1, b: 1 }],
    ]) {
      const gone = await around(slow, [set(1)], [], { op: "destroy" }, [set(2)], (row) => row === null, beside);
      assert.deepEqual(gone.data, revived, `${runtime} after a logout`);
      const early = [{ op: "set", key: "b", value: 1 }];
      const first = [{ op: "set", key: "seed", value: 0 }];
      const both = await around(slow, first, early, set(1), [], (row) => row?.a === 1, beside);
      assert.deepEqual(both.data, merged, `${runtime} after a change`);
    }
  }));

story(
  "9: a reload that finds another request's change is no change of its own",
  memory,
  { node: [true, 2], rust: [false, 2] },
  async (visit) => {
    const late = [{ op: "reload" }, { op: "get", key: "a" }];
    const told = await around(visit, [set(1)], [], set(2), late, (stored) => stored?.a === 2);
    return [told.setCookies.length > 0, told.late[1]];
  },
);

story(
  "3: a session that was regenerated is there until the response has gone",
  memory,
  { node: [false, false], rust: [true, false] },
  async (visit) => {
    const cookie = cookieOf(await visit(null, set(1)));
    const store = { op: "store", id: unsign(cookie.slice(cookie.indexOf("=") + 1), options.secret) };
    const first = await visit(cookie, { op: "regenerate" }, set(2), store);
    const second = await visit(null, store);
    return [first.results[2] !== null, second.results[0] !== null];
  },
);

story(
  "7: a path does not cover what begins with the same letters",
  memory,
  { node: [true, true], rust: [true, false] },
  async (visit) => {
    const told = [];
    for (const path of ["/app/x", "/apple"]) told.push(cookieOf(await visit.to(path, set(1))) !== undefined);
    return told;
  },
  { cookie: { maxAge: HOUR, path: "/app" } },
);

story(
  "13: a data key that Node erases with the next load is refused",
  memory,
  { node: [false, "kept", null], rust: [true, null, null] },
  async (visit) => {
    const key = "toString";
    const first = await visit(null, set(1), { op: "set", key, value: "kept" }, { op: "get", key });
    const second = await visit(cookieOf(first), { op: "get", key });
    return [Boolean(first.results[1]?.error), first.results[2], second.results[0]];
  },
);

story(
  "a value that is nested deeper than readers go is refused",
  memory,
  { node: [false, true], rust: [true, false] },
  async (visit) => {
    const value = JSON.parse("[".repeat(127) + "]".repeat(127));
    const { results } = await visit(null, { op: "set", key: "a", value }, { op: "get", key: "a" });
    return [Boolean(results[0]?.error), results[1] !== null];
  },
);

story(
  "15: a cookie that no browser keeps is refused before its session is stored",
  memory,
  { node: [200, 1, true], rust: [500, 0, false] },
  async (visit) => {
    const { status, setCookies, results } = await visit(null, set(1), { op: "setCookie", fields: { sameSite: "none" } }, { op: "id" });
    // An error has no results.
    const stored = results && (await visit(null, { op: "store", id: results[2] })).results[0];
    return [status, setCookies.length, Boolean(stored)];
  },
);

/** Both runtimes over one Redis, in turn, beside a look at its rows and a way to cut it off. */
function stored(title, changed, expected, tell) {
  test(title, async () => {
    const look = await outside(servers.redis);
    const way = await behindProxy(servers.redis);
    try {
      await withProbes(way.url, { ...options, ...changed }, async (probes) => {
        for (const [runtime, wanted] of Object.entries(expected)) {
          const visit = (id, ...steps) => {
            const cookie = id && `connect.sid=${encodeURIComponent(sign(id, options.secret))}`;
            return send(probes[runtime], { headers: cookie ? { cookie } : {}, steps, alone: true });
          };
          const write = async (text, left = HOUR) => {
            const id = randomBytes(24).toString("base64url");
            await look.write(id, text, left);
            return id;
          };
          const left = async (id) => (await look.get([id]))[0].left;
          const exists = async (id) => (await look.texts([id]))[0] !== null;
          assert.deepEqual(await tell({ visit, write, exists, left, way }), wanted, runtime);
        }
      });
    } finally {
      await way.close();
      await look.close();
    }
  });
}

const row = (left = HOUR) =>
  JSON.stringify({
    cookie: { originalMaxAge: HOUR, expires: new Date(Date.now() + left), httpOnly: true, path: "/" },
    a: 1,
  });
const ofSessions = (text) => text.includes("sess:");

stored(
  "1: a store that cannot be asked is a 503",
  {},
  { node: [500, true], rust: [503, true] },
  async ({ visit, write, exists, way }) => {
    const id = await write(row());
    way.cuts = ofSessions;
    const { status } = await visit(id, { op: "get", key: "a" });
    way.cuts = null;
    return [status, await exists(id)];
  },
);

for (const [how, ...steps] of [
  ["in the end", set(1)],
  ["in the handler", set(1), { op: "save" }],
]) {
  stored(
    `1: nobody is told that a save has worked that has failed ${how}`,
    {},
    { node: [200, true, false], rust: [503, false, false] },
    async ({ visit, exists, way }) => {
      way.cuts = ofSessions;
      const { status, setCookies } = await visit(null, ...steps);
      way.cuts = null;
      const id = setCookies.length > 0 && unsign(parse(setCookies[0]).value, options.secret);
      return [status, id !== false, id !== false && (await exists(id))];
    },
  );
}

stored(
  "8: a save does not write an end that is past",
  {},
  { node: [false, null], rust: [true, 2] },
  async ({ visit, write, exists }) => {
    const id = await write(row(-HOUR));
    await visit(id, set(2), { op: "save" });
    return [await exists(id), (await visit(id, { op: "get", key: "a" })).results[0]];
  },
);

stored(
  "10: a read that has failed once deletes nothing",
  { unset: "destroy" },
  { node: [500, false], rust: [503, true] },
  async ({ visit, write, exists, way }) => {
    const id = await write(row());
    // The read alone: to destroy the session would work.
    way.cuts = (text) => ofSessions(text) && !/DEL|UNLINK/i.test(text);
    const { status } = await visit(id, { op: "get", key: "a" });
    way.cuts = null;
    return [status, await exists(id)];
  },
);

stored(
  "10: a row that cannot be read is left alone, and its visitor gets a new session",
  { unset: "destroy" },
  { node: [500, false], rust: [200, true] },
  async ({ visit, write, exists }) => {
    const id = await write("no JSON");
    const { status } = await visit(id, set(1));
    return [status, await exists(id)];
  },
);

stored(
  "14: an end that was moved less than a minute ago stays where it is",
  { touchAfter: null },
  { node: [true, true], rust: [false, true] },
  async ({ visit, write, left }) => {
    const read = async (ago) => {
      const began = Date.now();
      const id = await write(row(HOUR - ago), HOUR - ago);
      await visit(id, { op: "get", key: "a" });
      const moved = (await left(id)) > HOUR - ago;
      // Where it took so long that the minute may have passed, it is done again.
      return Date.now() - began < 40_000 ? moved : read(ago);
    };
    return [await read(10_000), await read(70_000)];
  },
);

stored(
  "14: a touch that fails is left to the next request",
  {},
  { node: [200, false, true], rust: [200, false, true] },
  async ({ visit, write, left, way }) => {
    const id = await write(row(HOUR / 2), HOUR / 2);
    const read = { op: "get", key: "a" };
    way.cuts = (text) => ofSessions(text) && /EXPIRE/i.test(text);
    const { status } = await visit(id, read);
    way.cuts = null;
    const moved = async () => (await left(id)) > HOUR / 2;
    const first = await moved();
    await visit(id, read);
    return [status, first, await moved()];
  },
);

stored(
  "15: a row with such settings is read, and signed out of, and browsers can obey",
  {},
  { node: [1, 0, null], rust: [1, 1, null] },
  async ({ visit, write }) => {
    const id = await write(row().replace('"path"', '"sameSite":"none","partitioned":true,"path"'));
    const { results } = await visit(id, { op: "get", key: "a" });
    const { setCookies } = await visit(id, { op: "destroy" });
    assert.ok(setCookies.every((cookie) => !/None|Partitioned/.test(cookie)));
    return [results[0], setCookies.length, (await visit(id, { op: "get", key: "a" })).results[0]];
  },
);

// The time is real here: where a request took so long that the end was near, the story is told again.
for (const [title, maxAge, wait, wanted] of [
  ["a session is there before its end", 10_000, 0, 1],
  ["and gone after it", 1_000, 1_100, null],
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
        if (wait > 0 || second.received - first.sent < maxAge / 2) return second.results[0];
      }
    },
    { cookie: { maxAge } },
  );
}

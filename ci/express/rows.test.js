// Rows in every form that express-session has written or accepts: loaded, touched and saved by
// Rust, and read back by Node.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { withProbes } from "./lib/campaign.js";
import { Comparison, Ids } from "./lib/compare.js";
import { sign } from "./lib/cookies.js";
import { send } from "./lib/http.js";
import { outside } from "./lib/rows.js";
import { shared } from "./lib/servers.js";

const HOUR = 3_600_000;
const iso = (left) => new Date(Date.now() + left).toISOString();
const common = { httpOnly: true, path: "/" };

/** The cookies of rows. */
const forms = {
  "no max age": () => ({ originalMaxAge: null, expires: null, ...common }),
  "a max age": () => ({ originalMaxAge: HOUR, expires: iso(HOUR), ...common }),
  "a max age beyond 2^31": () => ({ originalMaxAge: 3_000_000_000, expires: iso(3_000_000_000), ...common }),
  "maxAge undefined": () => ({ ...common }),
  "expires false": () => ({ originalMaxAge: false, expires: false, ...common }),
  "sameSite true": () => ({ originalMaxAge: null, expires: null, ...common, sameSite: true }),
  "sameSite in capitals": () => ({ originalMaxAge: null, expires: null, ...common, sameSite: "LAX" }),
  "secure, domain, sameSite": () => ({ originalMaxAge: HOUR, expires: iso(HOUR), secure: true, httpOnly: true, domain: "example.com", path: "/", sameSite: "lax" }),
  "partitioned, priority, path": () => ({ originalMaxAge: null, partitioned: true, priority: "high", expires: null, secure: true, httpOnly: true, path: "/app", sameSite: "none" }),
  "secure false": () => ({ originalMaxAge: null, expires: null, secure: false, ...common }),
  "secure auto": () => ({ originalMaxAge: null, expires: null, secure: "auto", ...common }),
  "a stale end": () => ({ originalMaxAge: HOUR, expires: iso(-HOUR), ...common }),
  "an end alone": () => ({ expires: iso(HOUR), ...common }),
  "a max age alone": () => ({ originalMaxAge: HOUR, ...common }),
  "an empty cookie": () => ({}),
  "an empty list": () => [],
  "an end without milliseconds": () => ({ originalMaxAge: HOUR, expires: iso(HOUR).replace(/\.\d+Z/, "Z"), ...common }),
  "an end with an offset and nine digits": () => ({ originalMaxAge: HOUR, expires: iso(HOUR + 2 * HOUR).replace("Z", "000000+02:00"), ...common }),
  "an end as a number": () => ({ originalMaxAge: HOUR, expires: Date.now() + HOUR, ...common }),
  "an end that is no date": () => ({ originalMaxAge: HOUR, expires: "junk", ...common }),
  "nulls": () => ({ originalMaxAge: null, expires: null, secure: null, httpOnly: true, domain: null, path: "/", sameSite: null }),
  "an unknown key": () => ({ originalMaxAge: null, expires: null, ...common, hasLongExpires: true }),
};

/** Forms of which Rust sees more than Node: what the handler gets is not compared, the rest is. */
const READ_BETTER = new Set(["a stale end", "an end alone", "a max age alone", "an end as a number", "an end that is no date"]);

const options = { secret: "keyboard cat", resave: false, saveUninitialized: false, proxy: true, cookie: { maxAge: HOUR } };
const DATA = '"views":1,"float":1.0,"user":{"n":"ä","2":[1,{"x":null}]},"big":12345678901234567890,"text":"\\u00e4\\ud83d\\ude00"';

for (const [name, make] of Object.entries(shared)) {
  test(`rows in every form over ${name}`, async (t) => {
    const url = await make();
    await withProbes(url, options, async ({ node, rust }) => {
      const look = await outside(url);
      const visit = async (probe, id, steps) => {
        const cookie = `connect.sid=${encodeURIComponent(sign(id, options.secret))}`;
        return send(probe, { headers: { cookie, "x-forwarded-proto": "https" }, steps });
      };
      try {
        for (const [form, cookie] of Object.entries(forms)) {
          await t.test(form, async () => {
            const began = Date.now();
            const ids = new Ids();
            const [a, b] = ["a", "b"].map(() => randomBytes(24).toString("base64url"));
            ids.pair(a, b);
            // The same row twice: one is Node's from now on, the other one Rust's.
            const made = cookie();
            const text = `{"cookie":${JSON.stringify(made)},${DATA}}`;
            for (const id of [a, b]) await look.write(id, text, Math.max(HOUR, made.originalMaxAge ?? 0));

            for (const steps of [
              [{ op: "data" }, { op: "cookie" }],
              [{ op: "touch" }, { op: "cookie" }],
              [{ op: "set", key: "views", value: 2 }],
              [{ op: "data" }, { op: "cookie" }, { op: "originalMaxAge" }],
            ]) {
              const [theirs, mine] = await Promise.all([visit(node, a, steps), visit(rust, b, steps)]);
              // On a busy machine, either side may be late by all that has passed.
              const slack = () => 2_500 + Date.now() - began;
              const compare = new Comparison(ids, slack());
              const since = { node: theirs.sent, other: mine.sent };
              for (const [index, { op }] of steps.entries()) {
                if (op === "cookie" && index === 1 && steps[0].op === "data" && READ_BETTER.has(form)) continue;
                compare.result(op, op, theirs.results[index], mine.results[index], since);
              }
              const cookies = [theirs, mine].map(({ setCookies }) => setCookies.length);
              if (cookies[0] !== cookies[1]) compare.note("Set-Cookie", theirs.setCookies, mine.setCookies);
              else if (cookies[0]) compare.setCookie("Set-Cookie", theirs.setCookies[0], mine.setCookies[0], since, options.secret);
              const [one, other] = [(await look.get([a]))[0], (await look.get([b]))[0]];
              compare.slack = slack();
              if (steps[0].op === "set") compare.row("the row", one, other, since);
              assert.deepEqual(compare.found, [], `${JSON.stringify(steps)} on ${text}`);
            }

            // What nobody changed is there to the letter, also where Node would have rounded it.
            const [{ text: after }] = await look.get([b]);
            assert.ok(after.includes(DATA.slice(DATA.indexOf('"float"'))), after);
            // Each reads what the other one wrote.
            const [{ results: swapped }, { results: back }] = await Promise.all([
              visit(rust, a, [{ op: "get", key: "views" }, { op: "get", key: "user" }]),
              visit(node, b, [{ op: "get", key: "views" }, { op: "get", key: "user" }, { op: "cookie" }]),
            ]);
            assert.deepEqual(swapped, [2, { n: "ä", 2: [1, { x: null }] }]);
            assert.deepEqual(back.slice(0, 2), swapped);
          });
        }
      } finally {
        await look.close();
      }
    });
  });
}

// Scripts that random ones seldom meet: the body of one request, and what both runtimes make of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { withProbes } from "./lib/campaign.js";
import { parse } from "./lib/cookies.js";
import { send } from "./lib/http.js";

const MINUTE = 60_000;
const options = { secret: "keyboard cat", resave: false, saveUninitialized: true, rolling: true, cookie: { maxAge: MINUTE } };

const field = (fields) => `[{"op":"setCookie","fields":${fields}},{"op":"originalMaxAge"}]`;
const value = (json) => `[{"op":"set","key":"a","value":${json}},{"op":"data"}]`;
for (const [title, body, results] of [
  ["of two lifetimes the last one counts: maxAge", field('{"expires":false,"originalMaxAge":1,"maxAge":null}'), [null, null]],
  ["of two lifetimes the last one counts: originalMaxAge", field('{"maxAge":3600000,"originalMaxAge":50000}'), [null, 50_000]],
  ["a number beyond the largest one is null", value("[1e400,-1e400,-0,1e-400]"), [null, { a: [null, null, 0, 0] }]],
  ["half a surrogate pair stays", value('"\\ud800"'), [null, { a: "\ud800" }]],
  ["deep values stay", value("[".repeat(126) + "]".repeat(126)), [null, { a: JSON.parse("[".repeat(126) + "]".repeat(126)) }]],
  ["bytes that are no text are replaced", Buffer.from('[{"op":"set","key":"a","value":"\xff"},{"op":"get","key":"a"}]', "latin1"), [null, "\ufffd"]],
  ["nothing is stored under the empty id", '[{"op":"store","id":""}]', [null]],
]) {
  test(title, () =>
    withProbes("memory:", options, async (probes) => {
      for (const probe of Object.values(probes)) {
        const answer = await send(probe, { body });
        assert.deepEqual([answer.status, answer.results], [200, results], probe.runtime);
      }
    }),
  );
}

const slowly = { op: "sleep", ms: 1_500 };
for (const [title, ...steps] of [
  ["a slow request that only reads", slowly],
  ["a slow request that saves first", { op: "set", key: "a", value: 1 }, { op: "save" }, slowly],
]) {
  test(`${title} keeps its session from its end on`, () =>
    withProbes("memory:", options, async (probes) => {
      for (const [runtime, probe] of Object.entries(probes)) {
        const first = await send(probe, {});
        const headers = { cookie: first.setCookies[0].split(";")[0] };
        const slow = await send(probe, { headers, steps });
        // `Expires` has lost its milliseconds.
        const from = slow.sent + slowly.ms + MINUTE - 1_000;
        const sent = parse(slow.setCookies[0]).expires;
        assert.ok(sent >= from, `${runtime}: the cookie ends ${from - sent} ms too early`);
        // The store has moved the row as well: the memory's are seen as they are when they are read.
        const id = decodeURIComponent(headers.cookie).replace(/^.*s:|\..*$/g, "");
        const { results } = await send(probe, { steps: [{ op: "store", id }] });
        const stored = Date.parse(results[0].cookie.expires);
        assert.ok(stored >= from + 1_000, `${runtime}: the row ends ${from + 1_000 - stored} ms too early`);
      }
    }));
}

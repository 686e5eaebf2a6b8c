// PostgreSQL with another time zone than UTC: connect-pg-simple's column has none, so both sides
// have to mean the same one.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { SCRIPTS, mixed, withProbes } from "./lib/campaign.js";
import { parse, unsign } from "./lib/cookies.js";
import { send } from "./lib/http.js";
import { servers } from "./lib/servers.js";

const { Client } = createRequire(import.meta.url)("pg");
const HOUR = 3_600_000;
const secret = "keyboard cat";
const options = { secret, resave: false, saveUninitialized: false, cookie: { maxAge: HOUR } };

// One on each side of UTC, neither with an hour that comes twice in autumn. What goes wrong where
// the Rust side is not told: a fresh session that the other side does not find, and one that ended
// an hour ago and is found.
for (const [zone, wrong] of [
  ["America/Lima", { "Rust finds Node's": false, "Node finds Rust's": true, "Rust finds Node's ended": false, "Node finds Rust's ended": true }],
  ["Asia/Kolkata", { "Rust finds Node's": true, "Node finds Rust's": false, "Rust finds Node's ended": true, "Node finds Rust's ended": false }],
]) {
  test(`PostgreSQL on ${zone}`, async (t) => {
    await withDatabase(zone, async (url, query) => {
      const told = `${url}${url.includes("?") ? "&" : "?"}time_zone=${zone}`;
      await t.test("without the zone, sessions are lost or live on", async () => {
        assert.deepEqual(await meet(url, query), wrong);
      });
      await t.test("with it, each side finds what lives, and nothing else", async () => {
        const right = { "Rust finds Node's": true, "Node finds Rust's": true, "Rust finds Node's ended": false, "Node finds Rust's ended": false };
        assert.deepEqual(await meet(told, query), right);
      });
      const count = Math.ceil(SCRIPTS / 40);
      await t.test(`${count} scripts on a mixed fleet`, () => mixed(`postgres on ${zone}`, told, count));
    });
  });
}

/** Which sessions of each side the other one finds: a fresh one, and one that ended an hour ago. */
function meet(store, query) {
  return withProbes(store, options, async ({ node, rust }) => {
    const visit = (probe, cookie, ...steps) => send(probe, { headers: cookie ? { cookie } : {}, steps });
    const found = {};
    for (const [from, to] of [
      [node, rust],
      [rust, node],
    ]) {
      const name = (probe) => (probe === rust ? "Rust" : "Node");
      const made = async () => {
        const { setCookies } = await visit(from, null, { op: "set", key: "a", value: 1 });
        return setCookies[0].split(";")[0];
      };
      const finds = async (cookie) => (await visit(to, cookie, { op: "get", key: "a" })).results[0] === 1;
      const what = `${name(to)} finds ${name(from)}'s`;
      found[what] = await finds(await made());
      const old = await made();
      const id = unsign(parse(old).value, secret);
      // Its hour, and one more.
      const { rowCount } = await query(`update session set expire = expire - interval '2 hours' where sid = $1`, [id]);
      assert.equal(rowCount, 1);
      found[`${what} ended`] = await finds(old);
    }
    return found;
  });
}

/** A database of its own, whose connections are on `zone` unless they say otherwise. */
async function withDatabase(zone, work) {
  const name = `zone_${process.pid}_${zone.replace(/\W/g, "_").toLowerCase()}`;
  const admin = new Client({ connectionString: servers.postgres });
  await admin.connect();
  try {
    await admin.query(`create database ${name}`);
    try {
      await admin.query(`alter database ${name} set timezone to '${zone}'`);
      const url = new URL(servers.postgres);
      url.pathname = `/${name}`;
      const client = new Client({ connectionString: url.href });
      await client.connect();
      try {
        const { rows } = await client.query("show timezone");
        assert.equal(rows[0].TimeZone, zone);
        await work(url.href, (text, values) => client.query(text, values));
      } finally {
        await client.end();
      }
    } finally {
      // With force: the connections of a process that was killed may not have ended yet.
      await admin.query(`drop database ${name} with (force)`);
    }
  } finally {
    await admin.end();
  }
}

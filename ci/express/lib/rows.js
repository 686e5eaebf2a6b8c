// Looks into the stores: what lies there, as a person with a database client would see it.
import { createRequire } from "node:module";
import { send } from "./http.js";
import { parseMysql, parseSqlite } from "./stores.js";

const require = createRequire(import.meta.url);

/** Rows that only the process that has them can show: asked for through the probe. */
export function inProcess(probe) {
  return {
    async get(ids) {
      const { results } = await send(probe, { steps: ids.map((id) => ({ op: "store", id })) });
      return results.map((json) => json && { json });
    },
  };
}

/**
 * Rows on a server or in a file: `{ text, json, left, extendsAll }` by id. `left` is milliseconds;
 * `extendsAll` says that our store extends sessions that end with the browser, too, and
 * express-session's does not.
 */
export async function outside(url) {
  switch (url.split(":")[0]) {
    case "redis": {
      const { createClient } = await import("redis");
      const client = createClient({ url });
      await client.connect();
      return reader({
        read: async (id) => {
          const [text, left] = await Promise.all([client.get(`sess:${id}`), client.pTTL(`sess:${id}`)]);
          return text && { text, left };
        },
        write: (id, text, left) => client.set(`sess:${id}`, text, { PX: left }),
        close: () => client.close(),
      });
    }
    case "postgres":
    case "postgresql": {
      const { Pool } = require("pg");
      const client = new Pool({ connectionString: url, max: 4 });
      const one = async (text, values) => (await client.query(text, values)).rows[0];
      return reader({
        read: (id) =>
          one(
            `select sess::text as text, extract(epoch from expire - localtimestamp) * 1000 as left
             from session where sid = $1 and expire > localtimestamp`,
            [id],
          ),
        write: (id, text, left) =>
          one(
            `insert into session (sid, sess, expire) values ($1, $2::json, localtimestamp + $3 * interval '1 ms')`,
            [id, text, left],
          ),
        close: () => ended(client),
      });
    }
    case "mysql":
    case "mariadb": {
      const mysql = require("mysql2/promise");
      const client = await mysql.createConnection(parseMysql(url));
      const one = async (text, values) => (await client.query(text, values))[0][0];
      return reader({
        read: (id) =>
          one(
            `select data as text, (expires - unix_timestamp(now(3))) * 1000 as \`left\`
             from sessions where session_id = ? and expires > unix_timestamp()`,
            [id],
          ),
        write: (id, text, left) =>
          client.query(`insert into sessions (session_id, expires, data) values (?, unix_timestamp() + ?, ?)`, [
            id,
            Math.round(left / 1000),
            text,
          ]),
        close: () => client.end(),
      });
    }
    case "sqlite": {
      const { path, preset } = parseSqlite(url);
      const client = new (require("better-sqlite3"))(path);
      client.pragma("busy_timeout = 60000");
      const [column, expires, insert] =
        preset === "connect-sqlite3"
          ? ["expired", (text) => text, (left) => Date.now() + left]
          : ["expire", (text) => Date.parse(text), (left) => new Date(Date.now() + left).toISOString()];
      return reader({
        read: async (id) => {
          const row = client.prepare(`select sess as text, ${column} as ends from sessions where sid = ?`).get(id);
          const left = row && expires(row.ends) - Date.now();
          return row && left > 0 ? { text: row.text, left } : undefined;
        },
        write: async (id, text, left) => {
          client.prepare(`insert into sessions (sid, sess, ${column}) values (?, ?, ?)`).run(id, text, insert(left));
        },
        extendsAll: preset === "connect-sqlite3",
        close: async () => client.close(),
      });
    }
    default:
      throw new Error(`no way to look into ${url.split(":")[0]}`);
  }
}

/**
 * Ends a pool and waits for its connections, which `end` alone does not: a server that ends one of
 * them in between (`drop database .. with (force)`) would raise an error that nobody catches.
 */
async function ended(pool) {
  let left = pool.totalCount;
  const closed = new Promise((resolve) => {
    pool.on("remove", () => --left || resolve());
    if (!left) resolve();
  });
  await pool.end();
  await closed;
}

function reader({ read, extendsAll = false, ...rest }) {
  return {
    ...rest,
    async texts(ids) {
      const rows = await Promise.all(ids.map((id) => read(id)));
      return rows.map((row) => row?.text ?? null);
    },
    async get(ids) {
      const rows = await Promise.all(ids.map((id) => read(id)));
      return rows.map((row) => row && { text: row.text, left: Number(row.left), json: JSON.parse(row.text), extendsAll });
    },
  };
}

// Node's own session stores, by the same URLs that the Rust examples take.
import { createRequire } from "node:module";
import { dirname, basename } from "node:path";
import session from "express-session";

const require = createRequire(import.meta.url);

/** The presets of `sqlite:PATH?preset=..`: whose tables the file has. */
export const SQLITE_PRESETS = ["connect-sqlite3", "better-sqlite3-session-store"];

/** `sqlite:PATH?preset=NAME` in its parts. */
export function parseSqlite(url) {
  const [path, query] = url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, "").split("?");
  const preset = new URLSearchParams(query).get("preset") ?? SQLITE_PRESETS[0];
  if (!SQLITE_PRESETS.includes(preset)) throw new Error(`there is no SQLite preset ${preset}`);
  return { path, preset };
}

/** `mysql://USER:PASSWORD@HOST:PORT/DATABASE` as mysql2 takes it. */
export function parseMysql(url) {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  return {
    host: decodeURIComponent(hostname),
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    socketPath: searchParams.get("socket") ?? undefined,
  };
}

/** Opens the store of `url`. */
export async function open(url) {
  const scheme = url.split(":")[0];
  switch (scheme) {
    case "memory":
      return new session.MemoryStore();
    case "redis": {
      const { createClient } = await import("redis");
      const { RedisStore } = await import("connect-redis");
      const client = createClient({ url });
      client.on("error", (error) => console.error(`redis: ${error.message}`));
      await client.connect();
      return new RedisStore({ client });
    }
    case "postgres":
    case "postgresql": {
      const PgStore = require("connect-pg-simple")(session);
      const store = new PgStore({ conString: url, createTableIfMissing: true });
      // Otherwise the first requests, arriving together, each try to make the table.
      await new Promise((resolve, reject) => store.get("", (error) => (error ? reject(error) : resolve())));
      return store;
    }
    case "mysql":
    case "mariadb": {
      const MySqlStore = require("express-mysql-session")(session);
      const store = new MySqlStore(parseMysql(url));
      await store.onReady();
      return store;
    }
    case "sqlite": {
      const { path, preset } = parseSqlite(url);
      if (preset === "better-sqlite3-session-store") {
        const Database = require("better-sqlite3");
        const BetterStore = require("better-sqlite3-session-store")(session);
        const client = new Database(path);
        client.pragma("busy_timeout = 5000");
        return new BetterStore({ client });
      }
      const SqliteStore = require("connect-sqlite3")(session);
      const store = new SqliteStore({ dir: dirname(path), db: basename(path) });
      store.db.configure("busyTimeout", 5000);
      await new Promise((resolve) => store.db.wait(resolve));
      return store;
    }
    default:
      throw new Error(`there is no ${JSON.stringify(scheme)} store`);
  }
}

// The servers that the tests use, from the environment, and files that are gone afterwards.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { SQLITE_PRESETS } from "./stores.js";

function server(kind) {
  const name = `SESSION_TEST_${kind}_URL`;
  const url = process.env[name];
  if (!url) {
    throw new Error(`NOT RUN: no ${name}; start the servers with: cargo run -p test-servers -- redis postgres mariadb -- npm test`);
  }
  return url;
}

export const servers = {
  get redis() {
    return server("REDIS");
  },
  get postgres() {
    return server("POSTGRES");
  },
  get mysql() {
    return server("MARIADB");
  },
};

let folder;

async function file(preset) {
  if (!folder) {
    folder = await mkdtemp(join(tmpdir(), "express-"));
    after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  }
  return `sqlite:${join(folder, `${preset}.db`)}?preset=${preset}`;
}

/** Stores that several processes share, by name: functions that answer with a URL. */
export const shared = {
  redis: async () => servers.redis,
  postgres: async () => servers.postgres,
  mysql: async () => servers.mysql,
  ...Object.fromEntries(SQLITE_PRESETS.map((preset) => [preset, () => file(preset)])),
};

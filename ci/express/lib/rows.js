// Looks into the stores: what lies there, as a person with a database client would see it.
import { createRequire } from "node:module";
import { send } from "./http.js";
import { parseSqlite } from "./stores.js";

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

/** Rows on a server or in a file: `{ text, json, left }` by id, `left` being milliseconds. */
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
    default:
      throw new Error(`no way to look into ${url.split(":")[0]}`);
  }
}

function reader({ read, ...rest }) {
  return {
    ...rest,
    async get(ids) {
      const rows = await Promise.all(ids.map((id) => read(id)));
      return rows.map((row) => row && { ...row, json: JSON.parse(row.text) });
    },
  };
}

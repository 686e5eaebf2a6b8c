// One request to a probe.
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/**
 * Sends `steps`; the answer with the times at which it was asked for and came. `alone`: over a
 * connection of its own, because express-session's may be cut behind the answer.
 */
export function send(probe, { method = "POST", path = "/", headers = {}, steps = [], alone = false, body = JSON.stringify(steps) }) {
  return new Promise((resolve, reject) => {
    const sent = Date.now();
    const outgoing = request(
      {
        agent: alone ? false : agent,
        host: "127.0.0.1",
        port: probe.port,
        method,
        path,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part) => (text += part));
        response.on("error", reject);
        response.on("end", () => {
          let json = null;
          try {
            json = JSON.parse(text);
          } catch {}
          resolve({
            status: response.statusCode,
            results: json?.results ?? null,
            headers: response.headers,
            setCookies: response.headers["set-cookie"] ?? [],
            sent,
            received: Date.now(),
          });
        });
      },
    );
    outgoing.on("error", async (error) => {
      // A process that has come to grief has more to say.
      await Promise.race([probe.ended, sleep(500)]);
      reject(new Error(`${probe.runtime}: ${error.message}; it said: ${probe.stderr}`));
    });
    outgoing.end(body);
  });
}

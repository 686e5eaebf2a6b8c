// One request to a probe.
import { Agent, request } from "node:http";

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** Sends `steps`; the answer with the times at which it was asked for and came. */
export function send(probe, { method = "POST", path = "/", headers = {}, steps = [], body = JSON.stringify(steps) }) {
  return new Promise((resolve, reject) => {
    const sent = Date.now();
    const outgoing = request(
      {
        agent,
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
    outgoing.on("error", (error) => reject(new Error(`${probe.runtime}: ${error.message}; it said: ${probe.stderr}`)));
    outgoing.end(body);
  });
}

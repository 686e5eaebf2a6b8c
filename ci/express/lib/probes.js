// Starts probes: the same program in Rust and in Node.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "../../example.js";

const nodeProbe = fileURLToPath(new URL("../probe.js", import.meta.url));
let rustProbe;

/** Starts a probe of one runtime, `rust` or `node`. */
export async function start(runtime, store, options) {
  const [program, ...words] =
    runtime === "rust" ? [await (rustProbe ??= build("probe"))] : [process.execPath, nodeProbe];
  const child = spawn(program, words, {
    env: {
      ...process.env,
      PORT: "0",
      STORE: store,
      SESSION_OPTIONS: JSON.stringify(options),
      NO_DEPRECATION: "express-session",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (text) => (stderr = (stderr + text).slice(-10_000)));
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const listening = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = line.match(/^listening (\d+)$/);
      if (found) resolve(Number(found[1]));
    });
  });
  const early = ended.then(() => Promise.reject(new Error(`the ${runtime} probe ended early: ${stderr}`)));
  const port = await Promise.race([listening, early]);
  early.catch(() => {});
  return {
    runtime,
    port,
    get stderr() {
      return stderr;
    },
    async stop() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

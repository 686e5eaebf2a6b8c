// Starts the demo as its README does, on a free port.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import * as example from "../example.js";

/** Builds the demo and answers with the path of its program. */
export const build = () => example.build("views");

/** Runs the program with these variables until it ends by itself. */
export function run(program, variables) {
  return start(program, variables).ended;
}

/** A demo that listens; `stop()` ends it as Ctrl-C does and answers with how it ended. */
export async function serve(program, variables = {}) {
  const { child, lines, ended } = start(program, { PORT: "0", ...variables });
  const address = new Promise((resolve) => {
    lines.on("line", (line) => {
      const found = line.match(/ (http:\/\/127\.0\.0\.1:\d+) /);
      if (found) resolve(found[1]);
    });
  });
  const early = ended.then(({ stderr }) => Promise.reject(new Error(`the demo ended early: ${stderr}`)));
  const url = await Promise.race([address, early]);
  early.catch(() => {});
  return {
    url,
    stop(signal = "SIGINT") {
      child.kill(signal);
      return ended;
    },
  };
}

function start(program, variables) {
  const { PORT, STORE, SECRET, MAX_AGE, ...rest } = process.env;
  const child = spawn(program, { env: { ...rest, ...variables }, stdio: ["ignore", "pipe", "pipe"] });
  const lines = createInterface({ input: child.stdout });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, lines, ended };
}

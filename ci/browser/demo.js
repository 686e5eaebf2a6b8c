// Starts the demo as its README does, on a free port.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as example from "../example.js";

/** Builds the demo and answers with the path of its program. */
export const build = () => example.build("views");

/** A directory for a demo's files, for as long as `use` takes. */
export async function inDirectory(use) {
  const directory = await mkdtemp(join(tmpdir(), "views-"));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Runs the program with these variables, in a directory of its own, until it ends by itself. */
export function run(program, variables) {
  return inDirectory((directory) => start(program, variables, directory).ended);
}

/** A demo that listens; `stop()` ends it as Ctrl-C does and answers with how it ended. Its files are
 * in a directory of its own, unless one is named. */
export async function serve(program, variables = {}, directory = undefined) {
  if (directory === undefined) {
    return new Promise((resolve, reject) => {
      inDirectory(async (own) => {
        const demo = await serve(program, variables, own);
        resolve(demo);
        await demo.ended;
      }).catch(reject);
    });
  }
  const { child, lines, ended } = start(program, { PORT: "0", ...variables }, directory);
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
    ended,
    stop(signal = "SIGINT") {
      child.kill(signal);
      return ended;
    },
  };
}

function start(program, variables, cwd) {
  const { PORT, STORE, SECRET, MAX_AGE, ...rest } = process.env;
  const child = spawn(program, { cwd, env: { ...rest, ...variables }, stdio: ["ignore", "pipe", "pipe"] });
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

// Starts Chromium as a child in our own process group, so that whoever ends the test run ends it
// too, and attaches to it. Playwright's own launcher would detach it.
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

function program() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const folder of process.env.PATH.split(delimiter)) {
    for (const name of NAMES) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {}
    }
  }
  throw new Error(`no browser: install one of ${NAMES.join(", ")}, or name one in CHROMIUM`);
}

export async function launch() {
  const profile = await mkdtemp(join(tmpdir(), "browser-"));
  const child = spawn(program(), [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const stop = async () => {
    child.kill();
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };

  const said = [];
  try {
    const endpoint = await new Promise((resolve, reject) => {
      child.once("error", reject);
      const lines = createInterface({ input: child.stderr });
      lines.on("line", (line) => {
        said.push(line);
        const found = line.match(/^DevTools listening on (ws:\S+)/);
        if (found) resolve(found[1]);
      });
      lines.once("close", () => reject(new Error(`the browser ended early:\n${said.join("\n")}`)));
    });
    const browser = await chromium.connectOverCDP(endpoint);
    return { browser, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

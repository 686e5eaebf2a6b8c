// Does what session-tower/MIGRATION.md says, as a newcomer would: its application in Node, the same
// in Rust, both at once, and a change of the secret.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { build, root } from "../example.js";
import { servers } from "./lib/servers.js";

let guide;
let folder;
let program;
let ports;

/** The first code block of the guide that is called so. */
function block(name) {
  const found = guide.split("```" + name + "\n")[1]?.split("\n```")[0];
  assert.ok(found, `the guide has a block ${name}`);
  return found;
}

before(async () => {
  guide = await readFile(join(root, "session-tower/MIGRATION.md"), "utf8");
  folder = await mkdtemp(join(tmpdir(), "guide-"));
  await writeFile(join(folder, "app.mjs"), block("js app.mjs"));
  await symlink(join(import.meta.dirname, "node_modules"), join(folder, "node_modules"));
  program = await build("migrated");
  ports = { 3001: await freePort(), 3002: await freePort() };
});

after(() => rm(folder, { recursive: true, force: true }));

test("the guide's Rust program is the example", async () => {
  const example = await readFile(join(root, "session-tower/examples/migrated.rs"), "utf8");
  assert.ok(example.endsWith(`${block("rust,no_run")}\n`), "the block and examples/migrated.rs are the same");
});

test("one visitor is served by both", async () => {
  await fleet("keyboard-cat", async () => {
    const lines = block("sh session").split("\n");
    assert.ok(lines.length > 5);
    for (const line of lines) {
      const [command, expected] = line.split(/\s+# /);
      const answer = await curl(command);
      if (expected) assert.equal(answer.trim(), expected, line);
    }
  });
});

test("a new secret, in the guide's three steps, signs nobody out", async () => {
  const steps = [...guide.matchAll(/^\| [123] \| `([^`]+)` \|/gm)].map(([, secrets]) => secrets);
  assert.deepEqual(steps, ["old new", "new old", "new"]);
  const visit = (port, jar) => curl(`curl -s -b ${jar} -c ${jar} http://127.0.0.1:${port}/`);
  let views = 0;
  for (const secrets of ["old", ...steps.slice(0, 2)]) {
    await fleet(secrets, async () => {
      for (const port of [3001, 3002, 3001]) assert.equal(await visit(port, "rotated"), `${++views} views, nobody\n`);
    });
  }
  // Each change of the counter sent the cookie again, so by now it bears the new signature.
  await fleet("new", async () => {
    for (const port of [3001, 3002]) assert.equal(await visit(port, "rotated"), `${++views} views, nobody\n`);
  });
  // While the sides do not have the same secrets, the order of the steps is what keeps them together.
  await fleet(["old new", "new old"], async () => {
    for (const [at, port] of [3001, 3002, 3001, 3002].entries())
      assert.equal(await visit(port, "halfway"), `${at + 1} views, nobody\n`);
  });
});

/** Both applications at once; `secrets` for both, or for Node and Rust in turn. */
async function fleet(secrets, work) {
  const [node, rust] = [secrets, secrets].map((both, side) => (Array.isArray(both) ? both[side] : both));
  const running = await Promise.all([
    run(process.execPath, ["app.mjs"], ports[3001], node),
    run(program, [], ports[3002], rust),
  ]);
  try {
    await work();
  } finally {
    await Promise.all(running.map((stop) => stop()));
  }
}

async function run(command, words, port, secrets) {
  const child = spawn(command, words, {
    cwd: folder,
    env: { ...process.env, PORT: String(port), REDIS_URL: servers.redis, SESSION_SECRETS: secrets },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  let over = false;
  ended.then(() => (over = true));
  while (!(await answers(port))) {
    assert.ok(!over, `${command} ended early`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return async () => {
    child.kill("SIGKILL");
    await ended;
  };
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

async function curl(command) {
  const [name, ...words] = command.replace(/:(300[12])\//, (_, port) => `:${ports[port]}/`).split(" ");
  assert.equal(name, "curl");
  return (await promisify(execFile)(name, words, { cwd: folder })).stdout;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

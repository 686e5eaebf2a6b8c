// Does what session-tower/MIGRATION.md says, as a newcomer would: its application in Node, the same
// in Rust, both at once, and a change of the secret.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { build, root } from "../example.js";
import { servers } from "./lib/servers.js";

let guide;
let folder;
let started;
let node;
let program;
/** Where the guide's ports are, for as long as a fleet is there. */
const ports = {};

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
  // What the guide starts, each with its environment; all that differs is where and with what.
  const [exported, ...lines] = block("sh").split("\n");
  started = Object.fromEntries(
    [...exported.replace(/^export /, "").matchAll(/(\w+)=("[^"]*"|\S+)/g)].map(([, name, value]) => [name, value.replaceAll('"', "")]),
  );
  node = lines[0].match(/^PORT=3001 (node) (.*)$/)?.slice(1);
  assert.deepEqual([node, lines.slice(1)], [["node", "app.mjs"], ["PORT=3002 cargo run"]]);
});

after(() => rm(folder, { recursive: true, force: true }));

test("the guide's Rust program is the example", async () => {
  const example = await readFile(join(root, "session-tower/examples/migrated.rs"), "utf8");
  assert.ok(example.endsWith(`${block("rust,no_run")}\n`), "the block and examples/migrated.rs are the same");
});

test("the guide's Rust program needs no more than the guide's dependencies", async () => {
  const project = join(folder, "moved");
  await mkdir(join(project, "src"), { recursive: true });
  const crates = ["session-core", "session-redis", "session-tower"];
  // The profile and the directory of the workspace, so that what it has built already is taken.
  const [, profile] = (await readFile(join(root, "Cargo.toml"), "utf8")).match(/^(\[profile\.dev\]\n(?:.+\n)*)/m);
  const manifest = [
    '[package]\nname = "moved"\nversion = "0.0.0"\nedition = "2024"\n[workspace]',
    block("toml"),
    profile,
    "[patch.crates-io]",
    ...crates.map((crate) => `${crate} = { path = ${JSON.stringify(join(root, crate))} }`),
  ];
  await writeFile(join(project, "Cargo.toml"), manifest.join("\n"));
  await writeFile(join(project, "src/main.rs"), block("rust,no_run"));
  // The versions that the workspace has: nothing is fetched.
  await copyFile(join(root, "Cargo.lock"), join(project, "Cargo.lock"));
  const target = resolve(root, process.env.CARGO_TARGET_DIR ?? "target");
  const cargo = ["check", "--quiet", "--offline", "--target-dir", target];
  await promisify(execFile)("cargo", cargo, { cwd: project, maxBuffer: 1 << 26 });
});

test("one visitor is served by both", async () => {
  await fleet(started.SESSION_SECRETS, async () => {
    const lines = block("sh session").split("\n");
    assert.ok(lines.length > 5);
    for (const line of lines) {
      const [command, expected] = line.split(/\s+# /);
      const answer = await curl(command);
      if (expected) assert.equal(answer.trim(), expected, line);
    }
    // The row, found as the guide finds it.
    const [, id] = (await readFile(join(folder, "jar"), "utf8")).match(/s%3A([^.]*)\./);
    const [look, list] = ["redis-cli get sess:ID", "redis-cli --scan --pattern 'sess:*'"];
    for (const command of [look, list]) assert.ok(guide.includes(`\`${command}\``), command);
    assert.equal(JSON.parse(await redisCli(look.replace("ID", id))).views, 1);
    const keys = (await redisCli(list.replaceAll("'", ""))).split("\n");
    assert.ok(keys.includes(`sess:${id}`));
  });
});

test("with another secret on each side, the second line says 1 views", async () => {
  await fleet(["one", "other"], async () => {
    for (const port of [3001, 3002]) {
      const answer = await curl(`curl -s -b apart -c apart http://127.0.0.1:${port}/`);
      assert.equal(answer, "1 views, nobody\n");
    }
  });
});

test("the settings of SQLite that the guide asks for are those that the mixed fleets run with", async () => {
  const stores = (await readFile(join(import.meta.dirname, "lib/stores.js"), "utf8")).replace("10_000", "10000");
  for (const text of ['db.configure("busyTimeout", 10000)', "db.serialize()", 'client.pragma("busy_timeout = 10000")']) {
    assert.ok(guide.includes(`\`${text}\``), `the guide has ${text}`);
    assert.ok(stores.includes(text), `lib/stores.js has ${text}`);
  }
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
  const [ours, theirs] = [secrets, secrets].map((both, side) => (Array.isArray(both) ? both[side] : both));
  const running = await Promise.allSettled([
    run(process.execPath, node.slice(1), 3001, ours),
    run(program, [], 3002, theirs),
  ]);
  try {
    const broken = running.find(({ status }) => status === "rejected");
    if (broken) throw broken.reason;
    await work();
  } finally {
    await Promise.all(running.map(({ value: stop }) => stop?.()));
  }
}

/** Runs an application, whose port is to be the guide's `port`. */
async function run(command, words, port, secrets) {
  for (let attempts = 5; ; attempts--) {
    ports[port] = await freePort();
    const values = { REDIS_URL: servers.redis, SESSION_SECRETS: secrets };
    assert.deepEqual(Object.keys(values), Object.keys(started), "what the guide exports");
    const child = spawn(command, words, {
      cwd: folder,
      env: { ...process.env, ...values, PORT: String(ports[port]) },
      stdio: ["ignore", "inherit", "inherit"],
    });
    let over = false;
    const ended = new Promise((resolve) => child.once("close", resolve)).then(() => (over = true));
    while (!over && !(await answers(ports[port]))) await new Promise((resolve) => setTimeout(resolve, 20));
    if (!over) {
      return async () => {
        child.kill("SIGKILL");
        await ended;
      };
    }
    // Another process may have got the port meanwhile.
    assert.ok(attempts > 1, `${command} ended early`);
  }
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

async function redisCli(command) {
  const [name, ...words] = command.split(" ");
  const { hostname, port, username, password, pathname } = new URL(servers.redis);
  const where = ["-h", hostname, "-p", port || "6379", "-n", pathname.slice(1) || "0"];
  if (username) where.push("--user", decodeURIComponent(username));
  const env = { ...process.env, ...(password ? { REDISCLI_AUTH: decodeURIComponent(password) } : {}) };
  return (await promisify(execFile)(name, [...where, ...words], { env })).stdout;
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

// The demo as a program: what it says when it cannot start, and how it ends.
import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { before, test } from "node:test";
import { build, inDirectory, run, serve } from "./demo.js";

let program;

before(async () => {
  program = await build();
});

for (const [name, variables, code, sentence] of [
  ["a store that the demo does not have", { STORE: "mongodb://me:hunter2@db:6379/0" }, 2, /no "mongodb" store; the stores are: memory:/],
  ["a store that is no URL", { STORE: "nonsense" }, 2, /STORE .* is not a URL.*memory:/],
  ["a server that is not there", { STORE: "redis://me:hunter2@127.0.0.1:1/0" }, 2, /STORE .* is unavailable/],
  ["a memory store with a place", { STORE: "memory:here" }, 2, /takes nothing behind the colon/],
  ["a sled store without a place", { STORE: "sled:" }, 2, /takes a directory behind the colon/],
  ["a sled store that is no directory", { STORE: "sled:/dev/null" }, 2, /database in \/dev\/null cannot be opened/],
  ["a port that is no number", { PORT: "http" }, 2, /PORT is a number from 0 to 65535, not "http"/],
  ["a port that is too high", { PORT: "65536" }, 2, /PORT is a number from 0 to 65535/],
  ["a max age of nothing", { MAX_AGE: "0" }, 2, /MAX_AGE is a number of seconds from 1/],
]) {
  test(`${name} gets one clear sentence`, async () => {
    const end = await run(program, { PORT: "0", ...variables });
    assert.equal(end.code, code);
    assert.match(end.stderr, sentence);
    assert.match(end.stderr, /^views: [^\n]+\n$/, "one line");
    assert.doesNotMatch(end.stderr, /hunter2/);
    assert.equal(end.stdout, "");
  });
}

test("a taken port gets one clear sentence", async () => {
  const demo = await serve(program);
  const port = new URL(demo.url).port;
  const second = await run(program, { PORT: port });
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^views: port \d+ is taken by another program: [^\n]+\n$/);
  await demo.stop();
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`${signal} ends it cleanly, open connections or not`, async () => {
    const demo = await serve(program);
    // Browsers open connections ahead of need and keep them.
    const unused = connect(new URL(demo.url).port, "127.0.0.1");
    unused.on("error", () => {});
    await new Promise((resolve) => unused.once("connect", resolve));
    assert.equal((await fetch(demo.url)).status, 200);

    const end = await demo.stop(signal);
    assert.deepEqual([end.code, end.signal, end.stderr], [0, null, ""]);
    unused.destroy();
  });
}

/** What a visitor with this cookie sees: the number of views, and the cookie to come back with. */
async function visit(url, cookie) {
  const response = await fetch(url, { headers: cookie === undefined ? {} : { cookie } });
  assert.equal(response.status, 200);
  const [, views] = (await response.text()).match(/id="views"[^>]*>(\d+)</);
  return { views: Number(views), cookie: response.headers.getSetCookie()[0].split(";")[0] };
}

for (const [how, signal] of [["Ctrl-C", "SIGINT"], ["kill -9", "SIGKILL"]]) {
  test(`the counter goes on after ${how} and a restart`, () =>
    inDirectory(async (directory) => {
      let demo = await serve(program, {}, directory);
      let visitor = await visit(demo.url);
      for (const expected of [2, 3]) {
        visitor = await visit(demo.url, visitor.cookie);
        assert.equal(visitor.views, expected);
      }
      assert.equal((await demo.stop(signal)).signal, signal === "SIGKILL" ? signal : null);

      demo = await serve(program, {}, directory);
      assert.equal((await visit(demo.url, visitor.cookie)).views, 4);
      assert.equal((await visit(demo.url)).views, 1, "another visitor begins anew");
      await demo.stop();
    }));
}

test("the demo says where its sessions are, and keeps its secret to its user", () =>
  inDirectory(async (directory) => {
    const demo = await serve(program, {}, directory);
    const { stdout } = await demo.stop();
    assert.match(stdout, /sessions: in the directory views\.sled; /);
    assert.equal((await stat(join(directory, "views.secret"))).mode & 0o777, 0o600);
    assert.equal((await stat(join(directory, "views.sled"))).mode & 0o777, 0o700);
  }));

test("the page says whether its sessions outlast the demo", () =>
  inDirectory(async (directory) => {
    for (const [STORE, says] of [
      ["sled:views.sled", /in the directory views\.sled\.\s+When the demo is started again, every session goes on\./],
      ["memory:", /in memory\.\s+When the demo stops, every session ends\./],
    ]) {
      const demo = await serve(program, { STORE }, directory);
      assert.match(await (await fetch(demo.url)).text(), says);
      await demo.stop();
    }
  }));

test("two demos in one directory do not share it", () =>
  inDirectory(async (directory) => {
    const demo = await serve(program, {}, directory);
    await assert.rejects(serve(program, {}, directory), /database in views\.sled is open already/);
    await demo.stop();
  }));

test("sessions in memory end with the demo, and leave nothing behind", () =>
  inDirectory(async (directory) => {
    let demo = await serve(program, { STORE: "memory:" }, directory);
    const { cookie } = await visit(demo.url);
    assert.equal((await visit(demo.url, cookie)).views, 2);
    await demo.stop();
    demo = await serve(program, { STORE: "memory:" }, directory);
    assert.equal((await visit(demo.url, cookie)).views, 1);
    await demo.stop();
    assert.deepEqual(await readdir(directory), []);
  }));

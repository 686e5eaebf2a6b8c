// The demo as a program: what it says when it cannot start, and how it ends.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { before, test } from "node:test";
import { build, run, serve } from "./demo.js";

let program;

before(async () => {
  program = await build();
});

for (const [name, variables, code, sentence] of [
  ["a store that the demo does not have", { STORE: "mongodb://me:hunter2@db:6379/0" }, 2, /no "mongodb" store; the stores are: memory:/],
  ["a store that is no URL", { STORE: "nonsense" }, 2, /STORE .* is not a URL.*memory:/],
  ["a server that is not there", { STORE: "redis://me:hunter2@127.0.0.1:1/0" }, 2, /STORE .* is unavailable/],
  ["a memory store with a place", { STORE: "memory:here" }, 2, /takes nothing behind the colon/],
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

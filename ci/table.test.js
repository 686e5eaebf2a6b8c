'use strict';
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

/** Runs the table over results: [store, rule, verdict]. */
function run(results, { expected = [], servers = '' } = {}) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'table-'));
  const list = path.join(os.tmpdir(), `${path.basename(directory)}.stores`);
  try {
    results.forEach(([store, rule, verdict], index) => {
      const line = `${JSON.stringify({ store, rule, verdict })}\n`;
      // As processes write: some share a file, some do not.
      fs.appendFileSync(path.join(directory, `${index % 2}.jsonl`), line);
    });
    if (servers) fs.writeFileSync(path.join(directory, 'servers.tsv'), servers);
    fs.writeFileSync(list, expected.join('\n'));
    const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(__dirname, 'table.js'), directory, list]);
    return { status, said: `${stdout}${stderr}` };
  } finally {
    fs.rmSync(directory, { recursive: true });
    fs.rmSync(list, { force: true });
  }
}

test('counts each verdict of each store', () => {
  const { status, said } = run([
    ['one', 'GET-01', 'pass'], ['one', 'GET-02', 'pass'], ['one', 'SWP-01', 'not supported'],
    ['two, MySQL', 'GET-01', 'pass'], ['two, MySQL', 'GET-02', 'pass'], ['two, MySQL', 'SWP-01', 'pass'],
  ], { expected: ['one', 'two, MySQL'], servers: 'mysql\tMariaDB 10.11, standing in for mysql\n' });
  assert.match(said, /^one +2 +0 +1 +0$/m);
  assert.match(said, /^two, MySQL +3 +0 +0 +0$/m);
  assert.match(said, /^mysql: MariaDB 10\.11, standing in for mysql$/m);
  assert.strictEqual(status, 0, said);
});

test('a rule that was not run fails, and is named', () => {
  const { status, said } = run([['one', 'GET-01', 'pass'], ['one', 'GET-02', 'not run']]);
  assert.match(said, /^FAILED: one: not run: GET-02$/m);
  assert.strictEqual(status, 1, said);
});

test('a rule that failed once has failed', () => {
  const { status, said } = run([['one', 'GET-01', 'pass'], ['one', 'GET-01', 'fail'], ['one', 'GET-01', 'pass']]);
  assert.match(said, /^one +0 +1 +0 +0$/m);
  assert.strictEqual(status, 1, said);
});

test('a store that is expected and absent fails', () => {
  const { status, said } = run([['one', 'GET-01', 'pass']], { expected: ['one', 'two'] });
  assert.match(said, /^two +0 +0 +0 +all$/m);
  assert.match(said, /^FAILED: two: not run at all$/m);
  assert.strictEqual(status, 1, said);
});

test('a store with fewer rules than another fails', () => {
  const { status, said } = run([['one', 'GET-01', 'pass'], ['two', 'GET-01', 'pass'], ['two', 'GET-02', 'pass']]);
  assert.match(said, /^FAILED: one: 1 of 2 rules are missing$/m);
  assert.strictEqual(status, 1, said);
});

test('no results at all fail', () => {
  const { status, said } = run([]);
  assert.match(said, /no store was held to the rules/);
  assert.strictEqual(status, 1, said);
});

test('an unknown verdict is an error, not a row', () => {
  const { status, said } = run([['one', 'GET-01', 'skipped']]);
  assert.match(said, /without a store, a rule and a verdict/);
  assert.strictEqual(status, 2, said);
});

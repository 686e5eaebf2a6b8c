// What the rules said of each store: `node ci/table.js DIRECTORY [STORES]`.
//
// Reads what the suite leaves in SESSION_CONFORMANCE_RESULTS, lines of JSON with a store, a rule and
// a verdict, and what test-servers leaves there about the servers. Fails where a rule failed or was
// not run, where a store has fewer rules than another, and where one of the file STORES is missing.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const VERDICTS = ['pass', 'fail', 'not supported', 'not run'];
// Where a rule was run several times, the worst counts.
const WORST_FIRST = ['fail', 'not run', 'not supported', 'pass'];

function read(directory) {
  const stores = new Map();
  const files = fs.readdirSync(directory).filter((file) => !file.endsWith('.tsv'));
  for (const file of files.sort()) {
    const lines = fs.readFileSync(path.join(directory, file), 'utf8').split('\n');
    for (const line of lines.filter((line) => line.trim() !== '')) {
      const { store, rule, verdict } = parse(file, line);
      if (!stores.has(store)) stores.set(store, new Map());
      const rules = stores.get(store);
      const before = rules.get(rule) ?? 'pass';
      rules.set(rule, WORST_FIRST.find((one) => one === verdict || one === before));
    }
  }
  return stores;
}

function parse(file, line) {
  let result;
  try {
    result = JSON.parse(line);
  } catch {
    throw new Error(`${file} holds a line that is no JSON: ${line}`);
  }
  if (typeof result.store !== 'string' || typeof result.rule !== 'string' || !VERDICTS.includes(result.verdict)) {
    throw new Error(`${file} holds a line without a store, a rule and a verdict: ${line}`);
  }
  return result;
}

function servers(directory) {
  const file = path.join(directory, 'servers.tsv');
  if (!fs.existsSync(file)) return [];
  return fs.readFileSync(file, 'utf8').trim().split('\n').filter(Boolean).map((line) => line.split('\t'));
}

/** The lines of the table, and what is wrong. */
function table(stores, expected) {
  const rules = Math.max(0, ...[...stores.values()].map((found) => found.size));
  const wrong = [];
  const rows = [...new Set([...expected, ...stores.keys()])].sort().map((store) => {
    const found = stores.get(store) ?? new Map();
    const of = (verdict) => [...found].filter(([, said]) => said === verdict).map(([rule]) => rule);
    const name = (verdict) => `${store}: ${verdict}: ${of(verdict).sort().join(', ')}`;
    if (of('fail').length > 0) wrong.push(name('fail'));
    if (of('not run').length > 0) wrong.push(name('not run'));
    if (found.size === 0) wrong.push(`${store}: not run at all`);
    else if (found.size < rules) wrong.push(`${store}: ${rules - found.size} of ${rules} rules are missing`);
    const counts = VERDICTS.map((verdict) => of(verdict).length);
    return [store, ...(found.size === 0 ? [0, 0, 0, 'all'] : counts)];
  });
  if (rows.length === 0) wrong.push('no store was held to the rules');
  return { lines: layOut([['store', 'passed', 'failed', 'not supported', 'not run'], ...rows]), wrong };
}

function layOut(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  return rows.map((row) => row.map((cell, column) => (
    column === 0 ? String(cell).padEnd(widths[column]) : String(cell).padStart(widths[column])
  )).join('  '));
}

function main(directory, expected) {
  const names = expected ? fs.readFileSync(expected, 'utf8').split('\n') : [];
  const { lines, wrong } = table(read(directory), names.map((name) => name.trim()).filter(Boolean));
  for (const line of lines) console.log(line);
  const found = servers(directory);
  if (found.length > 0) console.log();
  for (const [kind, version] of found) console.log(`${kind}: ${version}`);
  for (const line of wrong) console.log(`FAILED: ${line}`);
  return wrong.length === 0 ? 0 : 1;
}

if (require.main === module) {
  try {
    process.exitCode = main(process.argv[2], process.argv[3]);
  } catch (error) {
    console.error(`ci/table.js: ${error.message}`);
    process.exitCode = 2;
  }
}

module.exports = { read, servers, table };

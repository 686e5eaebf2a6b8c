// Checks that the folders of a crate's sources stand one above the other: each may use those named
// before it, and its files do not use each other in a circle.
//
//   node ci/floors.js SRC LOWEST ... HIGHEST
//
// Reads `use` lines and paths as text, without tests. What a crate's root gives out under another
// name counts as the file that it comes from.

"use strict";

const fs = require("node:fs");
const path = require("node:path");

const [src, ...floors] = process.argv.slice(2);

function files(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return files(full);
    return entry.name.endsWith(".rs") && entry.name !== "tests.rs" ? [full] : [];
  });
}

/** `format/data/mod.rs` is the module `format::data`. */
function moduleOf(file) {
  const parts = path.relative(src, file).replace(/\.rs$/, "").split(path.sep);
  if (parts.at(-1) === "mod") parts.pop();
  return parts.join("::");
}

/** The code of a file, without its tests and comments. */
function code(file) {
  const text = fs.readFileSync(file, "utf8");
  return text.split(/^#\[cfg\(test\)\]\nmod tests/m)[0].replace(/^\s*\/\/.*$/gm, "").replace(/\s\/\/.*$/gm, "");
}

/** `a::{b, c::{d}}` as `a::b` and `a::c::d`. */
function expand(tree) {
  const open = tree.indexOf("{");
  if (open < 0) return [tree.replace(/\s+as\s+\w+/, "").trim()];
  const prefix = tree.slice(0, open);
  const parts = [];
  let depth = 0;
  let part = "";
  for (const char of tree.slice(open + 1, tree.lastIndexOf("}"))) {
    if (char === "," && depth === 0) {
      parts.push(part);
      part = "";
      continue;
    }
    depth += char === "{" ? 1 : char === "}" ? -1 : 0;
    part += char;
  }
  parts.push(part);
  return parts.filter((text) => text.trim()).flatMap((text) => expand(prefix + text.trim()));
}

const modules = new Map(floors.flatMap((floor) => files(path.join(src, floor))).map((file) => [moduleOf(file), file]));

/** The module that a path leads into. */
function target(name) {
  const parts = name.split("::");
  for (let length = parts.length; length > 0; length -= 1) {
    const module = parts.slice(0, length).join("::");
    if (modules.has(module)) return module;
  }
  return null;
}

/** What the crate's root gives out, by name. */
const root = new Map();
for (const [, tree] of code(path.join(src, "lib.rs")).matchAll(/^pub use ([^;]+);/gms)) {
  for (const name of expand(tree)) root.set(name.split("::").at(-1), target(name));
}

/** The modules that one uses. */
function uses(module, file) {
  const text = code(file);
  const found = new Set();
  const note = (name) => {
    let full = name.replace(/^crate::/, "");
    if (full.startsWith("self::")) full = `${module}::${full.slice(6)}`;
    const parent = fs.existsSync(file) && path.basename(file) === "mod.rs" ? module : module.split("::").slice(0, -1).join("::");
    if (full.startsWith("super::")) {
      const up = path.basename(file) === "mod.rs" ? module.split("::").slice(0, -1).join("::") : parent;
      full = `${up}::${full.slice(7)}`;
    }
    const to = root.has(full.split("::")[0]) ? root.get(full.split("::")[0]) : target(full);
    // A module's own parts, and the module that a part belongs to, are one piece.
    if (to && to !== module) found.add(to);
  };
  for (const [, tree] of text.matchAll(/^\s*(?:pub(?:\([^)]*\))? )?use ((?:crate|super|self)::[^;]+);/gms)) {
    expand(tree).forEach(note);
  }
  const rest = text.replace(/^\s*(?:pub(?:\([^)]*\))? )?use [^;]+;/gms, "");
  for (const [name] of rest.matchAll(/\bcrate::[\w:]+/g)) note(name);
  return found;
}

const graph = new Map([...modules].map(([module, file]) => [module, uses(module, file)]));
const faults = [];
for (const [module, used] of graph) {
  for (const other of used) {
    const [from, to] = [module, other].map((name) => floors.indexOf(name.split("::")[0]));
    if (to > from) faults.push(`${module} uses ${other}, which is above it`);
  }
}

/** A file of a floor, or a folder of it: its files may use each other. */
const piece = (module) => module.split("::").slice(0, 2).join("::");

const pieces = new Map();
for (const [module, used] of graph) {
  const others = pieces.get(piece(module)) ?? new Set();
  for (const other of used) if (piece(other) !== piece(module)) others.add(piece(other));
  pieces.set(piece(module), others);
}

/** A circle through a piece, or null. */
function circle(start) {
  const seen = new Set();
  const walk = (at, way) => {
    for (const next of pieces.get(at) ?? []) {
      if (next === start) return [...way, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const found = walk(next, [...way, next]);
      if (found) return found;
    }
    return null;
  };
  return walk(start, [start]);
}

for (const module of pieces.keys()) {
  const found = circle(module);
  if (found) {
    faults.push(`a circle: ${found.join(" -> ")}`);
    break;
  }
}
console.log(`${modules.size} modules on ${floors.length} floors`);
if (faults.length > 0) {
  console.log(faults.join("\n"));
  process.exitCode = 1;
}

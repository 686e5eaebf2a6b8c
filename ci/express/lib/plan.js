// A request's steps with questions put between them, and where the answers stand.
//
// The questions change nothing. They say what the comparison has to know: the ids, and the cookie
// wherever one of the departures from express-session depends on it.
export function plan(steps) {
  const list = [];
  const ask = (tag, op = tag) => list.push({ step: { op }, tag });
  ask("id");
  ask("base", "cookie");
  steps.forEach((step, index) => {
    const op = step?.op;
    if (["save", "regenerate", "destroy", "unset"].includes(op)) ask("before", "cookie");
    // 8: every write here is preceded by a touch. In express-session a script has to ask for it.
    if (op === "save") list.push({ step: { op: "touch" }, nodeOnly: true });
    // 13: keys that Node would erase are refused. What Node does to them is not worth repeating.
    const refused = op === "set" && RESERVED.has(step.key) && step.value !== undefined;
    list.push({ step, index, refused, nodeStep: refused ? { op: "refused" } : step });
    if (op === "regenerate" || op === "reload") {
      ask("id");
      ask("base", "cookie");
    }
  });
  ask("end", "cookie");
  ask("id");
  ask("data");
  return list;
}

const RESERVED = new Set([
  "cookie", "req", "id", "touch", "resetMaxAge", "save", "reload", "destroy", "regenerate", "constructor", "toString",
  "toLocaleString", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "__proto__", "__defineGetter__",
  "__defineSetter__", "__lookupGetter__", "__lookupSetter__",
]);

/** The steps to send to a runtime. */
export const stepsFor = (list, runtime) => entriesFor(list, runtime).map(({ step }) => step);

function entriesFor(list, runtime) {
  return list
    .filter((entry) => runtime === "node" || !entry.nodeOnly)
    .map((entry) => ({ ...entry, step: (runtime === "node" && entry.nodeStep) || entry.step }));
}

/** The answer of a runtime, each result beside its entry of the plan. */
export function answers(list, runtime, results) {
  return entriesFor(list, runtime)
    .slice(0, results.length)
    .map((entry, at) => ({ ...entry, result: results[at] }))
    .filter(({ nodeOnly }) => !nodeOnly);
}

// Makes a failing script as small as it can be (delta debugging).

/** `fails(script)` answers with the problems of a script. */
export async function shrink(script, fails) {
  let best = script;
  const tryThis = async (candidate) => {
    if ((await fails(candidate)).length === 0) return false;
    best = candidate;
    return true;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (let at = best.length - 1; at >= 0; at--) {
      if (best.length > 1 && (await tryThis(best.toSpliced(at, 1)))) changed = true;
    }
    for (let at = 0; at < best.length; at++) {
      for (let step = best[at].steps.length - 1; step >= 0; step--) {
        if (await tryThis(best.with(at, { ...best[at], steps: best[at].steps.toSpliced(step, 1) }))) changed = true;
      }
      const plain = { method: "POST", path: "/", proto: null, cookie: "jar" };
      for (const [key, value] of Object.entries(plain)) {
        if (best[at][key] !== value && (await tryThis(best.with(at, { ...best[at], [key]: value })))) changed = true;
      }
    }
  }
  return best;
}

/** The same for the options: each one is left out, if the script fails without it. */
export async function shrinkOptions(options, fails) {
  let best = options;
  for (const key of Object.keys(options).filter((key) => key !== "secret")) {
    const { [key]: _, ...rest } = best;
    if ((await fails(rest)).length > 0) best = rest;
  }
  for (const key of Object.keys(best.cookie ?? {})) {
    const { [key]: _, ...cookie } = best.cookie;
    if ((await fails({ ...best, cookie })).length > 0) best = { ...best, cookie };
  }
  return best;
}

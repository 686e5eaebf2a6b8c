// Random options and scripts. A script is a list of requests of one browser.
const HOUR = 3_600_000;

/** Options that express-session takes, in its own names and forms. */
export function options(random) {
  const some = (probability, fields) => (random.chance(probability) ? fields() : {});
  return kept({
    secret: random.pick(["keyboard cat", ["new secret", "old secret"], ["kéy✓", "b", "c"]]),
    resave: random.chance(0.3),
    saveUninitialized: random.chance(0.5),
    rolling: random.chance(0.3),
    ...some(0.3, () => ({ name: random.pick(["sid", "__Host-sid", "a!#$b"]) })),
    ...some(0.5, () => ({ unset: random.pick(["keep", "destroy"]) })),
    ...some(0.7, () => ({ proxy: random.chance(0.8) })),
    ...some(0.9, () => ({ cookie: cookie(random) })),
  });
}

/** 15: without what no browser keeps, which the Rust side refuses. */
function kept({ cookie = {}, ...options }) {
  const { sameSite, partitioned } = cookie;
  const host = isHost(options);
  if (host) {
    delete cookie.domain;
    cookie.path = "/";
  }
  if (host || sameSite === "none" || partitioned) cookie.secure = true;
  else if (sameSite === "auto" && !cookie.secure) cookie.secure = "auto";
  return { ...options, ...(Object.keys(cookie).length > 0 ? { cookie } : {}) };
}

const isHost = ({ name }) => name?.startsWith("__Host-");

function cookie(random) {
  const some = (probability, fields) => (random.chance(probability) ? fields() : {});
  return {
    ...some(0.6, () => ({ maxAge: random.pick([null, 600_000, HOUR, 30 * 24 * HOUR, 3_000_000_000, 1_500_000.75]) })),
    ...some(0.3, () => ({ path: random.pick(["/", "/app", "/app/"]) })),
    ...some(0.2, () => ({ domain: random.pick(["example.com", ".Example.com"]) })),
    ...some(0.2, () => ({ httpOnly: random.chance(0.5) })),
    ...some(0.5, () => ({ secure: random.pick([true, false, "auto"]) })),
    ...some(0.4, () => ({ sameSite: random.pick([true, false, "lax", "Strict", "none", "auto"]) })),
    ...some(0.2, () => ({ partitioned: random.chance(0.5) })),
    ...some(0.2, () => ({ priority: random.pick(["low", "Medium", "high"]) })),
  };
}

export function script(random, options) {
  return Array.from({ length: 1 + random.int(6) }, () => request(random, options));
}

function request(random, options) {
  const { cookie = {} } = options;
  const prefix = (cookie.path ?? "/").replace(/\/$/, "");
  const kinds = { jar: 30, none: 3, tampered: 1, unsigned: 1, foreign: 1, unknown: 1, old: 2, raw: 2, quoted: 1, others: 2, lower: 1, twin: 1 };
  return {
    method: random.pick(["GET", "POST", "POST", "PUT", "DELETE", "PATCH"]),
    path: random.chance(0.9)
      ? prefix + random.pick(["/", "/x", "/x/y?z=/", "/a%20b"])
      : random.pick(["/", "/app", "/apple", "/APP/x", "/other"]),
    proto: random.chance(0.5) ? "https" : random.pick([null, "http", "https,http", " HTTPS , http", "http,https"]),
    cookie: random.weighted(kinds),
    steps: steps(random, options),
  };
}

const KEYS = ["a", "b", "views", "user", "7", "ä key", "nested", "__x", "then"];
const RESERVED = ["id", "req", "cookie", "save", "reload", "touch", "toString", "constructor", "hasOwnProperty"];

function steps(random, options) {
  const list = Array.from({ length: random.int(7) }, () => step(random, options));
  if (random.chance(0.12)) list.push({ op: random.pick(["destroy", "unset"]) });
  return list;
}

function step(random, options) {
  const op = random.weighted({
    get: 8, set: 14, delete: 4, data: 3, id: 2, cookie: 2, maxAge: 2, originalMaxAge: 2, setMaxAge: 2, setExpires: 1.5,
    setCookie: 1.5, touch: 1.5, save: 4, reload: 2, regenerate: 2, sleep: 0.2, unknown: 0.2, malformed: 0.2, reserved: 0.4,
  });
  switch (op) {
    case "get":
    case "delete":
      return { op, key: random.pick(KEYS) };
    case "set":
      return { op, key: random.pick(KEYS), value: value(random, 3) };
    case "reserved":
      return { op: "set", key: random.pick(RESERVED), value: 1 };
    case "setMaxAge":
      return { op, value: random.pick([null, 1_200_000, 7_200_000, 900_000.5, 4_000_000_000]) };
    case "setExpires":
      return { op, value: random.pick([null, false, 1_800_000, 10_800_000]) };
    case "setCookie":
      return { op, fields: fields(random, options) };
    case "sleep":
      return { op, ms: random.int(20) };
    case "unknown":
      return { op: random.pick(["nonsense", "constructor", ""]) };
    case "malformed":
      return random.pick([null, 7, "get", {}, { op: 1 }, { op: "get" }, { op: "set", key: "a" }, { op: "setMaxAge" }, { op: "setCookie", fields: 1 }, { op: "setMaxAge", value: "soon" }]);
    default:
      return { op };
  }
}

function fields(random, options) {
  const all = {
    path: random.pick(["/", "/app", "/x"]),
    domain: random.pick(["example.org", null]),
    httpOnly: random.chance(0.5),
    secure: random.chance(0.5),
    sameSite: random.pick([true, false, "lax", "STRICT", "none", null]),
    partitioned: random.chance(0.5),
    priority: random.pick(["low", "HIGH", null]),
    maxAge: random.pick([null, 2_400_000]),
    unknown: 1,
  };
  const chosen = Object.keys(all).filter(() => random.chance(0.25));
  // 15: what a browser keeps, whatever the settings were before.
  const together = ["secure", "sameSite", "partitioned"];
  if (chosen.some((key) => together.includes(key))) chosen.push(...together.filter((key) => !chosen.includes(key)));
  if (isHost(options)) Object.assign(all, { path: "/", domain: null, secure: true });
  if (!all.secure) Object.assign(all, { sameSite: all.sameSite === "none" ? "lax" : all.sameSite, partitioned: false });
  return Object.fromEntries(chosen.map((key) => [key, all[key]]));
}

function value(random, depth) {
  const kinds = ["null", "bool", "int", "float", "text", ...(depth > 0 ? ["list", "object"] : [])];
  switch (random.pick(kinds)) {
    case "null":
      return null;
    case "bool":
      return random.chance(0.5);
    case "int":
      return random.pick([0, 1, -1, 42, 2 ** 31, 2 ** 53, -(2 ** 53), 1e20, random.int(1e6)]);
    case "float":
      return random.pick([0.1, -2.5, 1e21, 1.5e300, 5e-324, 1e-7, 123456.789, random.next()]);
    case "text":
      return random.pick(["", "x", "ä€😀", "\u0000\u001f\u007f", "\"\\/", "\u2028", "</script>", "a".repeat(300)]);
    case "list":
      return Array.from({ length: random.int(4) }, () => value(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.int(4) }, () => [random.pick(["p", "q", "10", "2", "cookie", "id"]), value(random, depth - 1)]),
      );
  }
}

// A server that does to its session what a request tells it to, on Node's real express-session.
// The same in Rust is session-tower/examples/probe; README.md describes the protocol.
import express from "express";
import session from "express-session";
import { open } from "./lib/stores.js";

const { PORT = "0", STORE = "memory:", SESSION_OPTIONS = '{"secret":"keyboard cat"}' } = process.env;

const store = await open(STORE || "memory:");
const options = JSON.parse(SESSION_OPTIONS);
if (typeof options.cookie?.expires === "string") options.cookie.expires = new Date(options.cookie.expires);

const own = (data, key) => key !== "cookie" && Object.prototype.propertyIsEnumerable.call(data, key);
const number = (value) => (typeof value === "number" ? value : null);
const wait = (call) =>
  new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));
/** For calls whose callback gets whatever the store passes on. */
const done = async (call) => void (await wait(call));

function text(step, name) {
  if (typeof step[name] !== "string") throw new Error(`the step needs a text as its ${name}`);
  return step[name];
}

function any(step, ...names) {
  const found = names.find((name) => step[name] !== undefined);
  if (!found) throw new Error(`the step needs a ${names[0]}`);
  return step[found];
}

function lifetime(what, value) {
  if (value !== null && value !== false && typeof value !== "number")
    throw new Error(`${what} must be a number, false or null`);
  return value;
}

/** `Object.assign(cookie, fields)`, except that a date is a text in JSON. */
function assign(cookie, fields) {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields))
    throw new Error("setCookie needs fields to assign");
  const { maxAge = null, expires = null } = fields;
  lifetime("maxAge", maxAge);
  if (expires !== null && expires !== false && typeof expires !== "string")
    throw new Error("expires must be a date, false or null");
  const date = typeof expires === "string" ? new Date(expires) : expires;
  if (date && Number.isNaN(date.getTime())) throw new Error("expires is not a date");
  // In the order of the fields: of `maxAge`, `expires` and `originalMaxAge` the last one counts.
  Object.assign(cookie, "expires" in fields ? { ...fields, expires: date } : fields);
}

const ops = {
  get: (req, step) => (own(req.session, text(step, "key")) ? req.session[step.key] : null),
  set(req, step) {
    if (step.value === undefined) throw new Error("set needs a value");
    req.session[text(step, "key")] = step.value;
  },
  delete(req, step) {
    delete req.session[text(step, "key")];
  },
  data(req) {
    const { cookie, ...data } = req.session;
    return data;
  },
  id: (req) => req.session.id,
  cookie: (req) => req.session.cookie.toJSON(),
  maxAge: (req) => number(req.session.cookie.maxAge),
  originalMaxAge: (req) => number(req.session.cookie.originalMaxAge),
  setMaxAge(req, step) {
    req.session.cookie.maxAge = lifetime("maxAge", any(step, "value", "ms"));
  },
  setExpires(req, step) {
    const value = lifetime("expires", any(step, "value", "ms"));
    req.session.cookie.expires = typeof value === "number" ? new Date(Date.now() + value) : value;
  },
  setCookie: (req, step) => assign(req.session.cookie, any(step, "fields", "value", "cookie")),
  touch: (req) => void req.session.touch(),
  save: (req) => done((callback) => req.session.save(callback)),
  reload: (req) => done((callback) => req.session.reload(callback)),
  regenerate: (req) => done((callback) => req.session.regenerate(callback)),
  destroy: (req) => done((callback) => req.session.destroy(callback)),
  unset(req) {
    req.session = null;
  },
};

async function run(req, step) {
  const op = step?.op;
  if (typeof op !== "string") throw new Error("a step is an object with an op");
  if (op === "sleep") {
    const ms = any(step, "ms", "value");
    if (typeof ms !== "number") throw new Error("ms must be a number");
    return done((callback) => setTimeout(callback, Math.min(Math.max(ms, 0), 60_000)));
  }
  if (op === "store") {
    // The row as it lies there: for stores that only this process can look into.
    return wait((callback) => store.get(text(step, "id"), callback));
  }
  if (!req.session) throw new Error("this request has no session");
  if (!Object.hasOwn(ops, op)) throw new Error(`there is no op ${JSON.stringify(op)}`);
  return ops[op](req, step);
}

const app = express();
app.set("etag", false);
app.use(session({ ...options, store }));
app.use(express.raw({ type: () => true, limit: "16mb" }));
app.use(async (req, res) => {
  const reply = (status, json) => {
    res.status(status).type("application/json");
    res.end(json);
  };
  let steps;
  try {
    steps = req.body?.length ? JSON.parse(req.body.toString("utf8")) : [];
    if (!Array.isArray(steps)) throw new Error("the body is no list of steps");
  } catch (error) {
    return reply(400, JSON.stringify({ error: true, message: error.message }));
  }
  const results = [];
  for (const step of steps) {
    try {
      // Into text at once: what a later step changes must not show in an earlier result.
      const result = JSON.stringify((await run(req, step)) ?? null);
      if (result === undefined) throw new Error("the result has no JSON");
      results.push(result);
      if (step.op === "destroy" || step.op === "unset") break;
    } catch (error) {
      results.push(JSON.stringify({ error: true, message: String(error?.message ?? error) }));
    }
  }
  reply(200, `{"results":[${results.join(",")}]}`);
});

// Express's own handler, in one line.
app.use((error, req, res, next) => {
  console.error(error.message);
  if (res.headersSent) return next(error);
  res.status(error.status ?? 500).end();
});
app.set("env", "test");

const server = app.listen(Number(PORT || 0), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`listening ${server.address().port}`);
});
server.keepAliveTimeout = 600_000;

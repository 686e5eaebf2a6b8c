// Whether two answers are the same, apart from ids and the time at which each was given.
import { isDeepStrictEqual } from "node:util";
import { parse, unsign } from "./cookies.js";

const failed = (result) => result?.error === true;
const show = (value) => JSON.stringify(value);

/** The settings of a cookie's JSON: all but its moving end. */
export function settings(cookie) {
  const { expires, ...rest } = cookie;
  return { ...rest, ends: expires === null || expires === false ? expires : "date" };
}

/** Whether two cookies have the same settings; a max age may have lost some milliseconds. */
export function sameSettings(a, b, lost = 1_000) {
  const { originalMaxAge: one, ...rest } = settings(a);
  const { originalMaxAge: other, ...others } = settings(b);
  return isDeepStrictEqual(rest, others) && near(one, other, lost);
}

function near(a, b, tolerance) {
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) <= tolerance;
  return a === b;
}

/** Compares what both sides answered to one request; problems are added to `found`. */
export class Comparison {
  /**
   * `slack`: how far apart, in milliseconds, two ends of a session may lie. `left`: how long the
   * store would have kept the session at the request's beginning. Here that is the end of a loaded
   * session; express-session has the one of the last save, also where touches have moved it since.
   */
  constructor(ids, slack, left) {
    this.ids = ids;
    this.slack = slack;
    this.left = left;
    this.found = [];
  }

  note(what, node, other) {
    this.found.push(`${what}: express-session ${show(node)}, here ${show(other)}`);
  }

  /** Two moments, each counted from when its own request was sent. */
  moment(what, node, other) {
    if (Number.isNaN(node) && Number.isNaN(other)) return;
    if (!(Math.abs(node - other) <= this.slack)) this.note(what, node, other);
  }

  /** The end of a session as a handler sees it. */
  end(what, node, other) {
    if (this.left === undefined || !near(this.left, other, this.slack + 1_000)) this.moment(what, node, other);
  }

  id(what, node, other) {
    if (!this.ids.pair(node, other)) this.note(`${what} (another session)`, node, other);
  }

  cookie(what, node, other, since, hold = this.end) {
    if (failed(node) || failed(other) || !node || !other) {
      if (failed(node) !== failed(other) || !node !== !other) this.note(what, node, other);
      return;
    }
    if (!sameSettings(node, other, this.slack)) return this.note(what, node, other);
    if (typeof node.expires === "string")
      hold.call(this, `${what}.expires`, Date.parse(node.expires) - since.node, Date.parse(other.expires) - since.other);
  }

  result(what, op, node, other, since) {
    if (failed(node) || failed(other)) {
      if (failed(node) !== failed(other)) this.note(what, node, other);
    } else if (op === "id") this.id(what, node, other);
    else if (op === "cookie") this.cookie(what, node, other, since);
    else if (op === "maxAge" && typeof node === "number") this.end(what, node, other);
    else if (op === "originalMaxAge" && typeof node === "number") this.moment(what, node, other);
    else if (!isDeepStrictEqual(node, other)) this.note(what, node, other);
  }

  setCookie(what, node, other, since, secret) {
    const [a, b] = [parse(node), parse(other)];
    const [idA, idB] = [unsign(a.value, secret), unsign(b.value, secret)];
    if (idA === null || idB === null) this.note(`${what}: the signature`, a.value, b.value);
    else this.id(what, idA, idB);
    const rest = ({ name, attributes }) => [name, attributes.map(([key, value]) => (key === "Expires" ? [key] : [key, value]))];
    if (!isDeepStrictEqual(rest(a), rest(b))) this.note(what, node, other);
    this.moment(`${what} Expires`, a.expires - since.node, b.expires - since.other);
  }

  row(what, node, other, since, expected = node?.json) {
    if (!node !== !other) return this.note(what, node?.json ?? null, other?.json ?? null);
    if (!node) return;
    const { cookie, ...data } = expected;
    const { cookie: otherCookie, ...otherData } = other.json;
    this.cookie(`${what}.cookie`, cookie, otherCookie, since, this.moment);
    const shape = (data) => [data, Object.keys(data)];
    if (!isDeepStrictEqual(shape(data), shape(otherData))) this.note(what, data, otherData);
    if (node.left !== undefined) {
      // A store may keep whole seconds.
      if (!near(node.left, other.left, this.slack + 1_000)) this.note(`${what}: its time left`, node.left, other.left);
    }
  }
}

/** Which id of one side is which of the other. */
export class Ids {
  #there = new Map();
  #back = new Map();

  /** Notes that both are the same session; false if they are known not to be. */
  pair(node, other) {
    if (typeof node !== "string" || typeof other !== "string") return node === other;
    if (!this.#there.has(node) && !this.#back.has(other)) {
      this.#there.set(node, other);
      this.#back.set(other, node);
    }
    return this.#there.get(node) === other;
  }

  pairs() {
    return [...this.#there];
  }

  nodeOf(other) {
    return this.#back.get(other);
  }
}

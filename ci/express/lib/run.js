// Plays one script on express-session and on another side, and holds the two together.
//
// The other side is the Rust probe, or a fleet of both that share a store. A difference is a
// mistake unless it is one of the departures that session-core's README numbers: those are known
// here one by one, and what is expected instead is checked just as strictly.
import { randomBytes } from "node:crypto";
import { Comparison, Ids, sameSettings } from "./compare.js";
import { parse, sign } from "./cookies.js";
import { send } from "./http.js";
import { answers, plan, stepsFor } from "./plan.js";

/**
 * `node`: the probe of the reference run. `pick(n)`: the probe that serves request `n` of the
 * other one. `rows.node(ids)` and `rows.other(ids)` look into the stores.
 *
 * Answers with the problems found, each a sentence, and counts departures in `seen`.
 */
export async function play(script, { options, node, pick, rows, seen = new Map() }) {
  const world = new World(options, rows, seen);
  for (const [index, request] of script.entries()) {
    const problems = await world.request(request, node, pick(index));
    if (problems.length > 0) return problems.map((problem) => `request ${index + 1}: ${problem}`);
    if (world.parted) break;
  }
  return [];
}

class World {
  constructor(options, rows, seen) {
    this.options = options;
    this.rows = rows;
    this.seen = seen;
    this.name = options.name ?? "connect.sid";
    this.secrets = [options.secret].flat();
    this.ids = new Ids();
    /** The ids in the two browsers' jars: the same session, or none. */
    this.jar = null;
    /** Rows that only express-session leaves behind. */
    this.orphans = new Set();
    /** Set where a departure has led the two apart for good. */
    this.parted = false;
    this.began = Date.now();
  }

  /**
   * How far apart two moments may lie that should be the same. The whole seconds of some, and what
   * has passed since the script began: on a busy machine one side may be that much later.
   */
  get slack() {
    return 1_500 + Date.now() - this.began;
  }

  departure(number) {
    this.seen.set(number, (this.seen.get(number) ?? 0) + 1);
  }

  async request(request, node, other) {
    const steps = plan(request.steps);
    const sides = { node, other };
    const cookies = this.cookies(request.cookie, other.runtime);
    const [row] = other.runtime === "rust" && this.jar ? await this.rows.other([this.jar[1]]) : [];
    const sent = await Promise.all(
      ["node", "other"].map((side) => {
        const path = this.path(side, request.path, other.runtime);
        const cookie = cookies[side];
        const headers = {};
        if (request.proto !== null) headers["x-forwarded-proto"] = request.proto;
        if (cookie !== null) headers.cookie = cookie;
        return send(sides[side], { method: request.method, path, headers, steps: stepsFor(steps, sides[side].runtime) });
      }),
    );
    const [a, b] = sent;
    const since = { node: a.sent, other: b.sent };
    const compare = new Comparison(this.ids, this.slack, row?.left);
    if (a.status !== b.status || !a.results || !b.results) {
      compare.note("status", a.status, b.status);
      return compare.found;
    }
    const here = answers(steps, "node", a.results);
    const there = answers(steps, other.runtime, b.results);
    if (here.length !== there.length) compare.note("the number of results", a.results, b.results);
    for (const [at, entry] of here.entries()) {
      const what = entry.tag ? `after step ${lastIndex(here, at)}: ${entry.step.op}` : `step ${entry.index + 1} (${entry.step?.op})`;
      compare.result(what, entry.step?.op, entry.result, there[at]?.result, since);
    }
    if (compare.found.length > 0) return compare.found;

    const story = this.story(request, here, cookies.id);
    if (other.runtime === "rust" && story.covered) this.countReplaced(there);
    this.compareCookies(compare, story, a, b, since, other.runtime, cookies.present);
    if (compare.found.length === 0) await this.compareRows(compare, story, since, other.runtime);
    return compare.found;
  }

  /** Departures for which express-session was given other steps (`plan`), and that have come true. */
  countReplaced(answers) {
    for (const { step, result, refused } of answers) {
      if (step?.op === "save" && !result?.error) this.departure(8);
      if (refused && result?.error) this.departure(13);
    }
  }

  /** What the answers tell of the request's session. */
  story(request, answers, cookieId) {
    const secure = this.options.proxy === true && (request.proto ?? "").split(",")[0].trim().toLowerCase() === "https";
    const story = { covered: true, settingsChanged: false, regenerated: false, saved: false, ended: null, secure };
    let base = null;
    for (const { tag, step, result } of answers) {
      if (tag === "id") {
        if (result?.error) return { covered: false };
        story.id = result;
      } else if (tag === "base") {
        base = story.cookie = result;
        // Where the browser's cookie lies, whatever this request makes of its own.
        story.place ??= result;
      } else if (tag === "before" || tag === "end") {
        story.cookie = result;
        if (!sameSettings(base, result)) story.settingsChanged = true;
      } else if (!result?.error) {
        if (step.op === "regenerate") {
          story.regenerated = true;
          story.saved = false;
        }
        if (step.op === "save") story.saved = true;
        if (step.op === "destroy" || step.op === "unset") story.ended = step.op;
      }
    }
    story.isNew = story.id !== cookieId;
    story.sendable = !story.cookie.secure || secure;
    return story;
  }

  compareCookies(compare, story, a, b, since, runtime, present) {
    const [secret] = this.secrets;
    const mine = b.setCookies.map(parse);
    const removals = mine.filter(({ value }) => value === "");
    const given = b.setCookies.filter((_, index) => mine[index].value !== "");
    const expected = { removal: false };
    let theirs = a.setCookies;
    if (runtime === "rust" && story.covered) {
      if (story.ended === "destroy" || (story.ended === "unset" && this.options.unset === "destroy")) {
        // 4: the browser's cookie goes with its session.
        expected.removal = present;
        if (present) this.departure(4);
      } else if (!story.ended) {
        const sends = story.isNew ? story.saved : story.settingsChanged;
        if (theirs.length === 0 && sends && story.sendable) {
          // 5: settings alone are sent. 12: so is the cookie of a new session that was saved.
          this.departure(story.isNew ? 12 : 5);
          const header = given[0];
          if (given.length !== 1) compare.note("Set-Cookie", "none, but here one is expected", b.setCookies);
          else this.ownCookie(compare, story, header, since);
          theirs = null;
        }
        expected.removal = present && given.length > 0 && !samePlace(story.place, story.cookie);
        if (expected.removal) this.departure(4);
      }
    }
    if (theirs) {
      if (theirs.length !== given.length || theirs.length > 1) compare.note("Set-Cookie", a.setCookies, b.setCookies);
      else if (theirs.length === 1) compare.setCookie("Set-Cookie", theirs[0], given[0], since, secret);
    }
    if (removals.length !== (expected.removal ? 1 : 0)) compare.note("the dropping of the cookie", expected.removal, b.setCookies);
    else if (expected.removal) this.removal(compare, story.place, removals[0]);
    if (compare.found.length > 0) return;
    if (given.length === 1) this.jar = [...this.ids.pairs()].find(([, other]) => decodeURIComponent(parse(given[0]).value).startsWith(`s:${other}.`));
    else if (expected.removal) this.jar = null;
  }

  /** A cookie that express-session does not send: held against the settings that it has in mind. */
  ownCookie(compare, story, header, since) {
    const { name, value, get, expires } = parse(header);
    const other = this.ids.pairs().find(([node]) => node === story.id)?.[1];
    const want = story.cookie;
    const truth = (flag) => (flag === undefined ? false : true);
    const told = {
      name: this.name,
      value: encodeURIComponent(sign(other, this.secrets[0])),
      path: want.path,
      domain: want.domain ?? undefined,
      httpOnly: Boolean(want.httpOnly),
      secure: Boolean(want.secure),
      partitioned: Boolean(want.partitioned),
    };
    const got = {
      name,
      value,
      path: get("Path"),
      domain: get("Domain"),
      httpOnly: truth(get("HttpOnly")),
      secure: truth(get("Secure")),
      partitioned: truth(get("Partitioned")),
    };
    if (JSON.stringify(told) !== JSON.stringify(got)) compare.note("Set-Cookie (5, 12)", told, got);
    if (typeof want.originalMaxAge === "number") compare.moment("Set-Cookie Expires", want.originalMaxAge, expires - since.other);
    else if (get("Expires") !== undefined) compare.note("Set-Cookie Expires", null, get("Expires"));
  }

  removal(compare, place, { name, value, get, expires }) {
    const told = [this.name, "", place.path, place.domain ?? undefined, Boolean(place.partitioned), 0];
    const got = [name, value, get("Path"), get("Domain"), get("Partitioned") !== undefined, expires];
    if (JSON.stringify(told) !== JSON.stringify(got)) compare.note("the dropping of the cookie", told, got);
  }

  async compareRows(compare, story, since, runtime) {
    const [secure, rust] = [story.covered && !story.ended && !story.sendable, runtime === "rust" && story.covered];
    const pairs = this.ids.pairs().filter(([id]) => !this.orphans.has(id));
    const [theirs, mine] = await Promise.all([
      this.rows.node(pairs.map(([id]) => id)),
      this.rows.other(pairs.map(([, id]) => id)),
    ]);
    compare.slack = this.slack;
    for (const [index, [nodeId]] of pairs.entries()) {
      const [node, other] = [theirs[index], mine[index]];
      const own = nodeId === story.id;
      if (rust && secure && story.isNew) {
        // 11: nobody could ever find this session: it is not saved when the response ends, and what
        // a handler saved before stays as it was.
        if (own && node && !other === !story.saved) {
          this.departure(11);
          this.orphans.add(nodeId);
          continue;
        }
      }
      if (rust && !own && story.ended === "unset" && story.regenerated && !node && other) {
        // 3: the old session goes with the response that has a new one.
        this.departure(3);
        this.parted = true;
        continue;
      }
      if (rust && own && story.ended === "unset" && story.regenerated && story.saved && node && !other) {
        // 3: the new session that a handler saved and nobody was told of goes with the next request,
        // which may be another script's.
        this.departure(3);
        this.parted = true;
        continue;
      }
      let expected = node?.json;
      if (rust && own && node && !story.ended && story.settingsChanged && !sameSettings(node.json.cookie, story.cookie)) {
        // 5: most of Node's stores lose a change of the settings alone.
        this.departure(5);
        this.parted = true;
        expected = { ...node.json, cookie: { ...story.cookie } };
        compare.row("the row", { json: expected }, other && { json: other.json }, since);
        continue;
      }
      const extended = other?.extendsAll && !other.json.cookie.expires;
      if (rust && own && extended && node && other.left > node.left + this.slack) {
        // Its end has moved here, and with express-session it has not.
        this.parted = true;
        compare.row("the row", { json: node.json }, other, since);
        continue;
      }
      compare.row(own ? "the row" : "an earlier row", node, other, since, expected);
    }
  }

  /** 7: here `/app` does not cover `/apple`. For express-session another path says the same. */
  path(side, path, runtime) {
    const prefix = this.options.cookie?.path ?? "/";
    const pathname = path.split("?")[0];
    const sibling = !prefix.endsWith("/") && pathname.startsWith(prefix) && !/^(\/|$)/.test(pathname.slice(prefix.length));
    if (side !== "node" || runtime !== "rust" || !sibling) return path;
    this.departure(7);
    return "/not-covered";
  }

  /** The `Cookie` headers of both sides, and the id that they carry, as express-session sees it. */
  cookies(kind, runtime) {
    const [secret] = this.secrets;
    const known = this.jar !== null;
    const stray = randomBytes(24).toString("base64url");
    const ids = known ? { node: this.jar[0], other: this.jar[1] } : { node: stray, other: stray };
    const make = (form) => ({ node: form(ids.node), other: form(ids.other), present: true, id: ids.node });
    const pair = (value) => `${this.name}=${value}`;
    const encoded = (id, by = secret) => encodeURIComponent(sign(id, by));
    const spoiled = (id) => encoded(id).replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    switch (kind) {
      case "none":
        return { node: null, other: null, present: false, id: null };
      case "jar":
        return known ? make((id) => pair(encoded(id))) : this.cookies("none");
      case "tampered":
        return { ...make((id) => pair(spoiled(id))), id: null };
      case "unsigned":
        return { ...make((id) => pair(id)), id: null };
      case "foreign":
        return { ...make((id) => pair(encoded(id, "somebody else's"))), id: null };
      case "unknown":
        return { node: pair(encoded(stray)), other: pair(encoded(stray)), present: true, id: stray };
      case "old":
        return make((id) => pair(encoded(id, this.secrets.at(-1))));
      case "raw":
        return make((id) => pair(sign(id, secret)));
      case "quoted":
        return make((id) => `${pair(`"${encoded(id)}"`)}`);
      case "lower":
        return make((id) => pair(encoded(id).replace(/%../g, (escape) => escape.toLowerCase())));
      case "others":
        return make((id) => `a=b; x${this.name}=1; ${pair(encoded(id))};c="d"; bad`);
      case "twin": {
        // 6: a stale cookie does not hide a good one. For express-session, send the good one alone.
        const both = make((id) => `${pair(spoiled(id))}; ${pair(encoded(id))}`);
        if (runtime !== "rust") return { ...both, id: null };
        this.departure(6);
        return { ...both, node: pair(encoded(ids.node)) };
      }
      default:
        throw new Error(`there is no way to send a cookie called ${kind}`);
    }
  }
}

function samePlace(a, b) {
  const place = (cookie) => [cookie.path, cookie.domain || null, Boolean(cookie.partitioned)].join();
  return place(a) === place(b);
}

function lastIndex(answers, at) {
  return answers.slice(0, at).filter(({ tag }) => !tag).length;
}

// The demo in a real browser: what its sessions promise, seen from where a visitor sits.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { launch } from "./chromium.js";
import { build, serve } from "./demo.js";

const DAY = 86_400;

let program;
let demo;
let browser;
let stopBrowser;
let context;
let complaints;

before(async () => {
  program = await build();
  demo = await serve(program);
  ({ browser, stop: stopBrowser } = await launch());
});

after(async () => {
  await stopBrowser?.();
  await demo?.stop();
});

beforeEach(async () => {
  // Cookies of its own for every test.
  context = await browser.newContext();
  complaints = [];
});

afterEach(async () => {
  await context.close();
  // A Content-Security-Policy that the page breaks shows up here, too.
  assert.deepEqual(complaints, []);
});

async function open(url = demo.url) {
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(url);
  await ready(page);
  return page;
}

/** The page's script has shown the row, with which the session was last extended. */
const ready = (page) => page.waitForSelector("body[data-ready]");

async function signIn(page, name, { remember = false } = {}) {
  await page.getByLabel("Name").fill(name);
  if (remember) await page.getByLabel("Remember me").check();
  await submit(page, "#sign-in");
}

async function submit(page, form) {
  await Promise.all([page.waitForNavigation(), page.locator(`${form} button`).click()]);
}

const text = (page, selector) => page.locator(selector).innerText();
const views = async (page) => Number(await text(page, "#views"));
const now = () => Date.now() / 1_000;

async function cookie() {
  const cookies = await context.cookies();
  assert.deepEqual(cookies.map(({ name }) => name), ["connect.sid"]);
  return cookies[0];
}

/** Visits with this cookie as a plain HTTP client, as somebody does who has a copy of it. */
async function replay(value, url = demo.url) {
  const answer = await fetch(url, { headers: { cookie: `connect.sid=${value}` } });
  const html = await answer.text();
  const of = (id) => html.match(new RegExp(`id="${id}"[^>]*>([^<]*)<`))[1];
  return { views: Number(of("views")), user: of("user"), setCookie: answer.headers.get("set-cookie") };
}

test("the cookie is HttpOnly and no script sees it", async () => {
  const page = await open();
  const { httpOnly, sameSite, secure, path, value } = await cookie();
  assert.deepEqual({ httpOnly, sameSite, secure, path }, { httpOnly: true, sameSite: "Lax", secure: false, path: "/" });
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.equal(await text(page, "#document-cookie"), "nothing");

  const shown = await text(page, "#cookie");
  assert.match(shown, /name\s+connect\.sid\s/);
  assert.match(shown, /HttpOnly\s+yes\s/);
  assert.match(shown, /SameSite\s+Lax\s/);
  const id = decodeURIComponent(value).slice(2).split(".")[0];
  assert.equal(id.length, 32);
  assert.ok(!(await page.content()).includes(id), "the page holds the session's id");
});

test("views count across reloads", async () => {
  const page = await open();
  assert.equal(await views(page), 1);
  const { value } = await cookie();
  for (const expected of [2, 3, 4]) {
    await page.reload();
    assert.equal(await views(page), expected);
  }
  await Promise.all([page.waitForNavigation(), page.locator("#again").click()]);
  assert.equal(await views(page), 5);
  assert.equal((await cookie()).value, value);
});

test("signing in keeps the views and changes the id", async () => {
  const page = await open();
  await page.reload();
  const fingerprint = await text(page, "#fingerprint");
  const planted = (await cookie()).value;

  await signIn(page, "Ada");
  assert.equal(await text(page, "#user"), "Ada");
  assert.equal(await views(page), 3);
  assert.notEqual((await cookie()).value, planted);
  assert.notEqual(await text(page, "#fingerprint"), fingerprint);

  const thief = await replay(planted);
  assert.deepEqual([thief.views, thief.user], [1, "a guest"]);
});

test("signing out ends the session for everybody who has its cookie", async () => {
  const page = await open();
  await signIn(page, "Ada");
  const { value } = await cookie();
  assert.equal((await replay(value)).user, "Ada", "the copy works while the session lives");

  await submit(page, "#sign-out");
  assert.equal(await text(page, "#user"), "a guest");
  assert.equal(await views(page), 1);
  assert.notEqual((await cookie()).value, value);

  const copy = await replay(value);
  assert.deepEqual([copy.views, copy.user], [1, "a guest"]);
  assert.ok(copy.setCookie.startsWith("connect.sid=s%3A"), "a new session");
  assert.ok(!copy.setCookie.includes(value), "under a new id");
});

test("an unused session expires", async () => {
  const short = await serve(program, { MAX_AGE: "4" });
  try {
    const page = await open(short.url);
    await signIn(page, "Ada");
    await ready(page);
    assert.equal(await views(page), 2);
    const { value, expires } = await cookie();
    assert.ok(expires > now() && expires <= now() + 4, `expires in ${expires - now()} s`);
    const clock = page.locator("#expires");
    assert.match(await clock.innerText(), /^[1-4]\ss$/);

    // A real wait: the cookie's end is decided in the browser's network process and the session's
    // in the demo, and neither has a clock that a test could set.
    await page.waitForFunction(() => document.getElementById("expires").innerText === "expired");
    assert.match(await text(page, "#notice"), /has expired/);
    await saysNothingOf(page, "Ada");
    await sleep(Math.max(0, expires - now()) * 1_000 + 100);
    assert.deepEqual(await context.cookies(), [], "the browser has dropped the cookie");

    const copy = await replay(value, short.url);
    assert.equal(copy.views, 1, "the server has dropped the session");
    await page.reload();
    assert.equal(await views(page), 1);
  } finally {
    await short.stop();
  }
});

test("a visit puts the expiry back, and the page counts down to it", async () => {
  const page = await open();
  const first = (await cookie()).expires;
  await page.waitForFunction(() => /^5[0-6]\ss$/.test(document.getElementById("expires").innerText));
  await page.reload();
  assert.match(await text(page, "#expires"), /^(60|59|58|57)\ss$/);
  assert.ok((await cookie()).expires >= first + 3);
});

test("remember me sets the cookie's expiry for this visitor", async () => {
  const page = await open();
  assert.ok(Math.abs((await cookie()).expires - now() - 60) < 5);

  await signIn(page, "Ada", { remember: true });
  assert.ok(Math.abs((await cookie()).expires - now() - 30 * DAY) < 5);
  assert.match(await text(page, "#expires"), /^30\sdays$/);
  await page.reload();
  assert.ok(Math.abs((await cookie()).expires - now() - 30 * DAY) < 5, "also after the next visit");

  await submit(page, "#sign-out");
  assert.ok(Math.abs((await cookie()).expires - now() - 60) < 5, "not for the next visitor");
  await signIn(page, "Ada");
  assert.ok(Math.abs((await cookie()).expires - now() - 60) < 5, "not without the checkbox");
});

test("two tabs share one session", async () => {
  const one = await open();
  const two = await open();
  assert.equal(await views(two), 2);
  await one.waitForFunction(() => document.getElementById("views").innerText === "2");
  await one.reload();
  assert.equal(await views(one), 3);

  await signIn(two, "Ada");
  await one.waitForFunction(() => document.getElementById("notice").innerText.includes("Another tab"));
  await one.reload();
  assert.equal(await text(one, "#user"), "Ada");

  await submit(one, "#sign-out");
  await two.reload();
  assert.equal(await text(two, "#user"), "a guest");
});

/** The page shows that its session is over, and nothing that was in it. */
async function saysNothingOf(page, user) {
  assert.equal(await text(page, "#you"), "You are nobody");
  assert.equal(await text(page, "#row"), "nothing");
  assert.ok(!(await page.content()).includes(user), "the page still says who it was");
  assert.equal(await page.locator("button:visible").count(), 0, "there is nothing to be done with it");
  assert.equal(await text(page, "#again"), "Start a new session");
}

test("a hundred requests at once lose nothing", async () => {
  const page = await open();
  for (const expected of [101, 201]) {
    await page.locator("#hundred").click();
    await page.waitForFunction(() => document.getElementById("counted").innerText.includes("100 requests"));
    assert.match(await text(page, "#counted"), new RegExp(`${expected - 100} \\+ 100 = ${expected}\\. None was lost`));
    assert.equal(await views(page), expected);
    await page.evaluate(() => document.getElementById("counted").replaceChildren());
  }
  await page.reload();
  assert.equal(await views(page), 202);
});

test("the row is shown as it is stored, without the id", async () => {
  const page = await open();
  await signIn(page, "Ada");
  await ready(page);
  const row = JSON.parse(await text(page, "#row"));
  assert.deepEqual(Object.keys(row), ["cookie", "views", "user"]);
  assert.deepEqual([row.views, row.user, row.cookie.originalMaxAge], [2, "Ada", 60_000]);
  const id = decodeURIComponent((await cookie()).value).slice(2).split(".")[0];
  assert.ok(!(await page.content()).includes(id));
});

test("a late write loses against a sign-out", async () => {
  const page = await open();
  await signIn(page, "Ada");
  const other = await open();
  const { value } = await cookie();
  await page.locator("#late").click();
  await page.waitForSelector("body.ended");
  const steps = await page.locator("#late-steps li").allInnerTexts();
  assert.equal(steps.length, 4);
  assert.match(steps[2], /is told “.*not there any more”/);
  assert.match(steps[3], /no such session/);
  await saysNothingOf(page, "Ada");

  assert.deepEqual(await context.cookies(), [], "the browser has dropped the cookie");
  const copy = await replay(value);
  assert.deepEqual([copy.views, copy.user], [1, "a guest"]);
  await other.waitForSelector("body.ended");
  await saysNothingOf(other, "Ada");
});

test("on a small phone the buttons are seen at once, in light and dark", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open();
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 360, height: 640 });
    for (const button of ["#again", "#hundred"]) {
      const { x, y, width, height } = await page.locator(button).boundingBox();
      assert.ok(x >= 0 && x + width <= 360 && y + height <= 640, `${button} ends at ${y + height}`);
    }
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is cut off");
    await page.close();
  }
});

test("everything is done with the keyboard alone", async () => {
  const page = await open();
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.innerText);
  const order = [];
  for (let step = 0; step < 7; step++) {
    await page.keyboard.press("Tab");
    order.push(await focused());
  }
  assert.deepEqual(order, ["again", "hundred", "name", "remember", "Sign in", "late", "row"]);
  await page.locator("#late").focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("body.ended");
  assert.equal(await focused(), "again", "the focus goes to what can be done next");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal(await views(page), 1);
});

test("an address that is no page leads to the one there is", async () => {
  for (const path of ["/sign-in", "/sign-out", "/count", "/late"]) {
    const answer = await fetch(demo.url + path, { redirect: "manual" });
    assert.deepEqual([answer.status, answer.headers.get("location")], [303, "/"], path);
  }
  for (const [method, path, status] of [["GET", "/nowhere", 404], ["POST", "/", 405]]) {
    const answer = await fetch(demo.url + path, { method });
    assert.equal(answer.status, status);
    assert.match(await answer.text(), /<a class="button" href="\/">/);
  }
});

test("a name is text, whatever it holds", async () => {
  const page = await open();
  const name = `"><img src=x onerror=alert(1)>'&amp;`;
  await signIn(page, name);
  assert.equal(await text(page, "#user"), name);
  assert.equal(await page.locator("img").count(), 0);
});

test("a name that cannot be one is refused, and the page says why", async () => {
  const page = await open();
  await signIn(page, "   ");
  complaints = complaints.filter((line) => !line.includes("422"));
  assert.equal(await text(page, "#problem"), "Please give a name.");
  assert.equal(await page.getByLabel("Name").getAttribute("aria-invalid"), "true");
  assert.equal(await text(page, "#user"), "a guest");
  for (const name of ["x".repeat(41), "a\u0007b", "x".repeat(10_000)]) {
    const answer = await fetch(`${demo.url}/sign-in`, { method: "POST", body: new URLSearchParams({ name }) });
    assert.ok([413, 422].includes(answer.status), `${answer.status}`);
  }
});

test("another site's form changes nothing", async () => {
  const page = await open();
  await signIn(page, "Ada");
  const form = `<form method="post" action="${demo.url}/sign-out"><button>win a prize</button></form>`;
  const site = createServer((_, answer) => answer.setHeader("content-type", "text/html").end(form));
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  try {
    // The same host on another port is the same site: SameSite=Lax lets the cookie through, the
    // demo does not.
    const { port } = site.address();
    for (const host of ["127.0.0.1", "localhost"]) {
      const other = await context.newPage();
      await other.goto(`http://${host}:${port}`);
      const [answer] = await Promise.all([
        other.waitForResponse(`${demo.url}/sign-out`),
        other.locator("button").click(),
      ]);
      assert.equal(answer.status(), 403, host);
    }
  } finally {
    site.close();
    site.closeAllConnections();
  }
  await page.reload();
  assert.equal(await text(page, "#user"), "Ada");
});

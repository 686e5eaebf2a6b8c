"use strict";

const page = document.body;
const at = (id) => document.getElementById(id);
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// --- time until the session expires ----------------------------------------------------------

// Counted from the moment the answer began to arrive, as the server counts; "" is a session that
// ends with the browser.
const arrived = performance.timeOrigin + performance.getEntriesByType("navigation")[0].responseStart;
const whole = page.dataset.remaining === "" ? Infinity : Number(page.dataset.remaining);
let deadline = arrived + whole;
let ended = false;

const units = [[86_400, "day"], [3_600, "hour"], [60, "minute"]];

function words(seconds) {
  for (const [size, unit] of units) {
    if (seconds >= 2 * size) {
      return `${Math.round(seconds / size)}\u00a0${unit}s`;
    }
  }
  return `${seconds}\u00a0s`;
}

function tick() {
  if (ended || deadline === Infinity) return;
  const left = Math.max(0, deadline - Date.now());
  if (left === 0) {
    end("expired", "This session has expired: your next visit starts a new one.");
    return;
  }
  at("ring").style.strokeDashoffset = 100 - (100 * Math.min(left, whole)) / whole;
  page.classList.toggle("late", left <= 10_000 && left < whole / 2);
  at("expires").textContent = words(Math.ceil(left / 1_000));
}

// The page must not go on telling what the server has forgotten, least of all who somebody was.
function end(how, why) {
  ended = true;
  page.classList.remove("late");
  page.classList.add("ended");
  at("expires-label").textContent = "the session has";
  at("expires").textContent = how;
  at("again").textContent = "Start a new session";
  at("fingerprint").textContent = "ended";
  at("you").textContent = "You are nobody";
  while (at("you").nextSibling) at("you").nextSibling.remove();
  at("you").after(paragraph("This page shows nothing of the session that it was made for."));
  at("cookie").replaceWith(paragraph("The one that this page was made with opens nothing any more."));
  at("row").textContent = "nothing";
  for (const button of document.querySelectorAll(".live")) button.hidden = true;
  notice(why);
}

function paragraph(text) {
  const made = document.createElement("p");
  made.textContent = text;
  return made;
}

function notice(text) {
  at("notice").hidden = false;
  at("notice").textContent = text;
}

setInterval(tick, 250);

// A page that comes back from the browser's memory may be that of a session that has ended.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

// --- the row in the store --------------------------------------------------------------------

// Shows the row, and answers with what is in it; null if there is none.
async function row() {
  const answer = await fetch("/row");
  if (!answer.ok) throw new Error("the store does not answer");
  const { row, remaining } = await answer.json();
  if (ended) return null;
  if (remaining !== null) deadline = Date.now() + remaining;
  at("row").textContent = row ?? "nothing";
  return row === null ? null : JSON.parse(row);
}

function show(views) {
  at("views").textContent = views;
  at("views").classList.toggle("long", views >= 1_000);
  at("views-unit").textContent = views === 1 ? "view" : "views";
}

// --- a hundred at once -----------------------------------------------------------------------

const HUNDRED = 100;

async function hundred() {
  const before = (await row())?.views ?? 0;
  let answered = 0;
  let counted = 0;
  const one = async () => {
    const answer = await fetch("/count", { method: "POST" }).catch(() => null);
    counted += answer?.ok ? 1 : 0;
    at("counted").textContent = `${++answered} of ${HUNDRED} answered …`;
  };
  const started = performance.now();
  // Read out at the end, not a hundred times.
  at("counted").setAttribute("aria-busy", "true");
  await Promise.all(Array.from({ length: HUNDRED }, one));
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  const after = (await row())?.views ?? 0;
  show(after);
  tell();
  at("counted").removeAttribute("aria-busy");
  const sum = `${before} + ${counted} = ${after}`;
  at("counted").textContent = after === before + counted
    ? `${HUNDRED} requests in ${seconds} s, as many at a time as your browser sends: ${sum}. None was lost.`
    : `${HUNDRED} requests in ${seconds} s, and other visits between them: ${before} + ${counted} became ${after}.`;
}

// --- a late write ----------------------------------------------------------------------------

async function late() {
  const steps = at("late-steps");
  const say = (text) => steps.appendChild(document.createElement("li")).append(text);
  steps.replaceChildren();
  const slow = fetch("/late", { method: "POST" }).then((answer) => answer.json());
  // Nobody looks at it before the end, so that a failure is not reported twice.
  slow.catch(() => {});
  say("A slow request has your session, and has begun an order in it.");
  while ((await row())?.order !== "under way") await sleep(50);
  say("Meanwhile you sign out: the session is destroyed.");
  // "manual": to follow the redirect would be a visit.
  await fetch("/sign-out", { method: "POST", redirect: "manual" });
  const { refusal, alive } = await slow;
  say(refusal ? `The slow request writes, and is told “${refusal}”.` : "The slow request has written.");
  say(alive ? "The session is there." : "The store has no such session. You are signed out, and stay so.");
  if (alive) return;
  end("ended", "You have signed out: your next visit starts a new session.");
  at("again").focus({ preventScroll: true });
  tabs.postMessage({ session: "" });
}

for (const [id, act] of Object.entries({ hundred, late })) {
  const button = at(id);
  button.hidden = false;
  button.addEventListener("click", async () => {
    const buttons = [...document.querySelectorAll(".live")];
    for (const other of buttons) other.disabled = true;
    try {
      await act();
    } catch {
      notice("The demo does not answer. Is it still running?");
    }
    for (const other of buttons) other.disabled = false;
  });
}

// --- what a script sees of the cookie --------------------------------------------------------

at("document-cookie").textContent = document.cookie === "" ? "nothing" : document.cookie;

// --- other tabs ------------------------------------------------------------------------------

// Tabs share the cookie and so the session: a visit in one puts off the expiry in all of them.
const tabs = new BroadcastChannel("session");

function tell() {
  tabs.postMessage({ session: page.dataset.session, views: Number(at("views").textContent), deadline });
}

tabs.onmessage = ({ data }) => {
  if (ended) return;
  if (data.session !== page.dataset.session) {
    end("changed", "Another tab has changed the session: reload this one to see it.");
    return;
  }
  deadline = data.deadline;
  show(data.views);
  tick();
};

tick();
tell();
row().catch(() => notice("The row cannot be read at the moment.")).finally(() => (page.dataset.ready = ""));

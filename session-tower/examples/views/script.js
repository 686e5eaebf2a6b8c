"use strict";

const page = document.body;
const at = (id) => document.getElementById(id);

// --- time until the session expires ----------------------------------------------------------

// Counted from the moment the answer began to arrive, as the server counts; "" is a session that
// ends with the browser.
const arrived = performance.timeOrigin + performance.getEntriesByType("navigation")[0].responseStart;
const whole = page.dataset.remaining === "" ? Infinity : Number(page.dataset.remaining);
let deadline = arrived + whole;

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
  if (deadline === Infinity) return;
  const left = Math.max(0, deadline - Date.now());
  const expired = left === 0;
  at("ring").style.strokeDashoffset = 100 - (100 * Math.min(left, whole)) / whole;
  page.classList.toggle("late", !expired && left <= 10_000 && left < whole / 2);
  if (expired !== page.classList.contains("expired")) turn(expired);
  if (!expired) at("expires").textContent = words(Math.ceil(left / 1_000));
}

function turn(expired) {
  page.classList.toggle("expired", expired);
  at("expires-label").textContent = expired ? "the session has" : "expires in";
  at("again").textContent = expired ? "Start a new session" : "Count another view";
  at("notice").hidden = !expired;
  if (expired) {
    at("expires").textContent = "expired";
    notice("This session has expired: your next visit starts a new one.");
  }
}

function notice(text) {
  at("notice").hidden = false;
  at("notice").textContent = text;
}

setInterval(tick, 250);
tick();

// --- what a script sees of the cookie --------------------------------------------------------

at("document-cookie").textContent = document.cookie === "" ? "nothing" : document.cookie;

// --- other tabs ------------------------------------------------------------------------------

// Tabs share the cookie and so the session: a visit in one puts off the expiry in all of them.
const tabs = new BroadcastChannel("session");
const mine = { session: page.dataset.session, views: at("views").textContent, unit: at("views-unit").textContent };

tabs.onmessage = ({ data }) => {
  if (data.session === mine.session) {
    deadline = data.deadline;
    at("views").textContent = data.views;
    at("views-unit").textContent = data.unit;
    tick();
  } else {
    notice("Another tab has changed the session: reload this one to see it.");
  }
};
tabs.postMessage({ ...mine, deadline });

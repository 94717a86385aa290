// Puts what is new into a transcript as it comes: over a stream, or by asking again and again where there is none.
// Without this script a button of the page asks for what is new.
"use strict";

const log = document.querySelector("[data-live]");
const list = log.querySelector("ol");
const newer = document.getElementById("newer");
const PAUSES = { soon: 700, late: 5000, none: 10000 };
const RETURN_TO_STREAM = 60000;
let source = null;
let timer = null;
let tried = 0;

function follow() {
  tried = Date.now();
  source = new EventSource(`${log.dataset.live}${log.dataset.live.includes("?") ? "&" : "?"}after=${list.dataset.place}`);
  source.addEventListener("news", (event) => show(event.data));
  source.addEventListener("text", (event) => grow(JSON.parse(event.data)));
  source.addEventListener("gone", leave);
  // While the browser tries again by itself, it is not closed. Else: all streams are taken, or the session ended.
  source.addEventListener("error", () => source.readyState === EventSource.CLOSED && wait());
}

function wait() {
  timer = setTimeout(ask, PAUSES[list.dataset.waiting || "none"]);
}

async function ask() {
  if (Date.now() - tried > RETURN_TO_STREAM) return follow();
  try {
    const url = `${log.dataset.messages}${log.dataset.messages.includes("?") ? "&" : "?"}after=${list.dataset.place}`;
    const response = await fetch(url, { headers: { Accept: "text/html" } });
    // A redirect means that the session ended: the page itself leads to the sign-in.
    if (response.redirected || response.status === 404) return leave();
    if (response.ok) show(await response.text());
  } catch {
    // The panel is restarting, perhaps; the next try will tell.
  }
  wait();
}

function show(html) {
  const box = document.createElement("template");
  box.innerHTML = html;
  const fresh = box.content.querySelector("ol");
  const wasAtEnd = isAtEnd();
  const before = list.childElementCount;
  for (const old of list.querySelectorAll("[data-tail]")) old.remove();
  for (const item of [...fresh.children]) put(item);
  list.dataset.place = fresh.dataset.place;
  list.dataset.waiting = fresh.dataset.waiting || "";
  if (wasAtEnd) toEnd();
  else if (newer && list.childElementCount > before) newer.hidden = false;
}

// An answer that is being written: what was added to it, as text and nothing else.
function grow(added) {
  const wasAtEnd = isAtEnd();
  list.querySelector("[data-growing] .said-text")?.append(added);
  if (wasAtEnd) toEnd();
}

// A message that is there already has changed; another goes where its number belongs.
function put(item) {
  const known = item.id && document.getElementById(item.id);
  if (known) return known.replaceWith(item);
  const messages = item.id ? [...list.querySelectorAll("[id^='message-']")] : [];
  const later = messages.find((message) => number(message) > number(item));
  if (later && later === messages[0]) return; // from before the part that is shown
  list.insertBefore(item, later || null);
}

function number(message) {
  return Number(message.id.slice("message-".length));
}

// The session ended, or the talk is gone. What is being typed must not go with it.
function leave() {
  stop();
  if (!document.querySelector("#composer textarea")?.value.trim()) return location.reload();
  document.getElementById("over").hidden = false;
}

function isAtEnd() {
  return document.documentElement.scrollHeight - window.innerHeight - window.scrollY < 120;
}

function toEnd() {
  if (newer) newer.hidden = true;
  // At once: on its way, the page would not be at its end when the next message comes.
  (document.getElementById("composer") || list).scrollIntoView({ block: "end", behavior: "instant" });
}

// A page that stays open says how long ago things were said as it is now, not as it was when they came.
const UNITS = [[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "hour"], [60, "minute"]];
const inWords = new Intl.RelativeTimeFormat("en");
setInterval(() => {
  for (const time of list.querySelectorAll("time")) time.textContent = ago(Date.now() - Date.parse(time.dateTime));
}, 60000);

function ago(milliseconds) {
  const seconds = milliseconds / 1000;
  const [size, unit] = UNITS.find(([size]) => seconds >= size) || [];
  return size ? inWords.format(-Math.floor(seconds / size), unit) : "just now";
}

function stop() {
  clearTimeout(timer);
  if (source) source.close();
  source = null;
}

if (newer) newer.addEventListener("click", toEnd);
// A page that nobody sees takes no stream from those that somebody does.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : follow()));
window.addEventListener("pagehide", stop);
if (!document.hidden) follow();

// Asks for the transcript while an answer is awaited, and puts it in place when it changed.
// Without this script the page loads itself again instead.
"use strict";

const log = document.getElementById("talk");
const PAUSES = { soon: 700, late: 5000 };

function wait() {
  const waiting = log.querySelector("[data-waiting]");
  if (waiting) setTimeout(refresh, PAUSES[waiting.dataset.waiting]);
}

async function refresh() {
  try {
    const response = await fetch(log.dataset.url, { headers: { Accept: "text/html" } });
    // A redirect means that the session ended: the page itself leads to the sign-in.
    if (response.redirected) return location.reload();
    if (response.ok) show(await response.text());
  } catch {
    // The panel is restarting, perhaps; the next try will tell.
  }
  wait();
}

function show(transcript) {
  if (transcript === log.dataset.shown) return;
  log.dataset.shown = transcript;
  log.innerHTML = transcript;
  document.getElementById("composer").scrollIntoView({ block: "end" });
}

wait();

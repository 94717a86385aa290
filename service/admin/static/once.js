// Sends a form once, however often its button is pressed while the answer is on its way.
"use strict";

// After that, whoever presses again means it: the answer may have been stopped.
const PATIENCE = 5000;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
  if (form.ariaBusy) return event.preventDefault();
  form.ariaBusy = "true";
  setTimeout(rest, PATIENCE, form);
});

// A page that comes back as it was left is to be used again.
window.addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(rest));

function rest(form) {
  form.ariaBusy = null;
}

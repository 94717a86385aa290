// Sends what is being typed with Ctrl and Enter (⌘ and Enter), for those who leave the keyboard unwillingly.
"use strict";

for (const form of document.querySelectorAll("[data-send]")) {
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

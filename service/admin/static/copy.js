// Gives each command a button that copies it. Without this script a command is selected and copied by hand.
"use strict";

for (const text of document.querySelectorAll(".command pre")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-sm btn-quiet copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${text.textContent}`);
  button.addEventListener("click", () => copy(text, button));
  text.before(button);
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  } catch {
    // Browsers keep the clipboard to HTTPS and localhost; elsewhere the text is at least selected.
    getSelection().selectAllChildren(text);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

// Gives each command a button that copies it. Without this script a command is selected and copied by hand.
"use strict";

// What the button says to the eye, it says here to the ear: its name stays what it copies.
const heard = document.createElement("p");
heard.className = "visually-hidden";
heard.setAttribute("role", "status");
document.body.append(heard);

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
    heard.textContent = "The text is on the clipboard.";
  } catch {
    // Browsers keep the clipboard to HTTPS and localhost; elsewhere the text is at least selected.
    getSelection().selectAllChildren(text);
    button.textContent = "Selected";
    heard.textContent = "The text is selected; the browser lets no page copy it here.";
  }
  setTimeout(() => {
    button.textContent = "Copy";
    heard.textContent = "";
  }, 2000);
}

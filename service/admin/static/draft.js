// Shows a draft's answer while it is being written. Without this script the page comes back with the whole answer.
"use strict";

const button = document.getElementById("try-button");
const form = button.form;
const { question, said } = form.elements;
const log = document.getElementById("tried");
const waiting = document.getElementById("waiting").content.firstElementChild;

button.addEventListener("click", (event) => {
  if (!question.value.trim() || button.dataset.plain) return;
  event.preventDefault();
  ask();
});

question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  event.preventDefault();
  button.click();
});

// The place for the question is free at once, since the next one may be typed while this one is being answered.
async function ask() {
  const body = new FormData(form), asked = question.value.trim();
  button.disabled = true;
  question.value = "";
  question.focus();
  document.getElementById("untried")?.remove();
  const shown = add("said said-user", "You", asked).parentElement;
  log.append(waiting);
  try {
    const response = await fetch(button.formAction, { method: "POST", body, headers: { Accept: "application/jsonl" } });
    // What can't be tried comes as the page, with its fields marked: send it once more, without the script.
    if (!response.headers.get("Content-Type")?.startsWith("application/jsonl")) return plainly(asked, shown);
    if (!(await show(response, asked))) question.value ||= asked;
  } catch {
    add("said said-note said-bad", "", "The panel did not answer. Try again in a moment.");
    question.value ||= asked;
  } finally {
    waiting.remove();
    button.disabled = false;
  }
}

function plainly(asked, shown) {
  shown.remove();
  question.value = asked;
  button.disabled = false;
  button.dataset.plain = "yes";
  button.click();
}

// Whether there was an answer.
async function show(response, asked) {
  let answer = "", failed = false, text;
  for await (const event of lines(response)) {
    if (event.kind === "text") {
      waiting.remove();
      text ??= add("said said-assistant", "The draft", "");
      answer += event.text;
      text.textContent = answer.trim();
    } else if (event.kind === "error") {
      failed = true;
      add("said said-note said-bad", "", event.text);
    } else {
      add("said-note", "", event.text);
      if (!text) log.append(waiting);
    }
  }
  if (failed) return false;
  said.value = JSON.stringify([...JSON.parse(said.value || "[]"), ["user", asked], ["assistant", answer.trim()]]);
  return true;
}

// Text is only ever set as text: an answer is somebody else's words.
function add(kind, name, words) {
  const item = document.createElement("li");
  item.className = kind;
  const place = name ? document.createElement("div") : item;
  if (name) {
    const head = document.createElement("p");
    head.className = "said-head";
    head.append(Object.assign(document.createElement("strong"), { textContent: name }));
    place.className = "said-text";
    item.append(head, place);
  }
  place.textContent = words;
  log.append(item);
  return place;
}

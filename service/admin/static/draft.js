// Shows a draft's answer while it is being written. Without this script the page comes back with the whole answer.
"use strict";

const button = document.getElementById("try-button");
const form = button.form;
const { question, said } = form.elements;
const log = document.getElementById("tried");

button.addEventListener("click", (event) => {
  if (!question.value.trim() || button.dataset.plain) return;
  event.preventDefault();
  ask();
});

async function ask() {
  button.disabled = true;
  const asked = question.value.trim();
  try {
    const response = await fetch(button.formAction, {
      method: "POST", body: new FormData(form), headers: { Accept: "application/jsonl" },
    });
    // What can't be tried comes as the page, with its fields marked: send it once more, without the script.
    if (!response.headers.get("Content-Type")?.startsWith("application/jsonl")) return plainly();
    document.getElementById("untried")?.remove();
    add("said said-user", "You", asked);
    await show(response, asked);
  } catch {
    add("said said-note said-bad", "", "The panel did not answer. Try again in a moment.");
  } finally {
    button.disabled = false;
  }
}

function plainly() {
  button.disabled = false;
  button.dataset.plain = "yes";
  button.click();
}

async function show(response, asked) {
  let answer = "", failed = false, text;
  for await (const event of lines(response)) {
    if (event.kind === "text") {
      text ??= add("said said-assistant", "The draft", "");
      answer += event.text;
      text.textContent = answer.trim();
    } else if (event.kind === "error") {
      failed = true;
      add("said said-note said-bad", "", event.text);
    } else {
      add("said-note", "", event.text);
    }
  }
  if (failed) return;
  said.value = JSON.stringify([...JSON.parse(said.value || "[]"), ["user", asked], ["assistant", answer.trim()]]);
  question.value = "";
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

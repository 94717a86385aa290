// Shows how far an export is, and hands the file over once it is whole. Without this script it is a plain download.
"use strict";

const LINES = "application/x-ndjson";
const ANNOUNCE = 10000; // ms: a screen reader is told now and then, and not of every piece
const HELD = 256; // pieces; the browser keeps what is put into a blob outside of the page's own memory
const menu = document.querySelector("[data-export]");

menu.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  menu.open = false;
  menu.querySelector("summary").focus();
  take(link.href);
});

// The menu closes as menus do: by Escape, and by a press beside it.
menu.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("click", (event) => {
  if (!menu.contains(event.target)) menu.open = false;
});

// Who leaves the page leaves the export: the browser asks whether that is meant.
window.addEventListener("beforeunload", (event) => {
  if (document.querySelector(".taking progress:not([hidden])")) event.preventDefault();
});

async function take(href) {
  const box = new Box(() => take(href));
  const stop = new AbortController();
  box.offer("Stop", () => stop.abort());
  try {
    const response = await fetch(href, { headers: { Accept: LINES }, signal: stop.signal });
    // A redirect means that the session ended: the page itself leads to the sign-in.
    if (response.redirected) return box.leave();
    if (response.headers.get("Content-Type") !== LINES) return box.fail(await refusal(response));
    const { name, blob } = await collect(response, box);
    box.finish(name, blob);
  } catch {
    box.end(stop.signal.aborted);
  }
}

// The whole file; an error where its last line did not come.
async function collect(response, box) {
  const blobs = [];
  let head, texts = [];
  for await (const line of lines(response)) {
    if (line.is_whole) return { name: head.name, blob: new Blob([...blobs, ...texts], { type: head.type }) };
    if (!head) box.begin(head = line);
    else {
      box.advance(line.done);
      texts.push(line.text);
    }
    if (texts.length === HELD) {
      blobs.push(new Blob(texts));
      texts = [];
    }
  }
  throw new Error("the last line is missing");
}

// What the page of the refusal says, as one would have read it there.
async function refusal(response) {
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const said = [...page.querySelectorAll("h1, h1 + p")].map((part) => part.textContent.trim());
  return said.length ? said.join(" ") : "The panel did not answer. Try again in a moment.";
}

class Box {
  constructor(retry) {
    this.retry = retry;
    this.place = document.getElementById("export-box").content.firstElementChild.cloneNode(true);
    this.bar = this.place.querySelector("progress");
    this.actions = this.place.querySelector(".form-actions");
    document.querySelector(".page-head").after(this.place);
  }

  begin({ noun, of }) {
    this.noun = noun;
    this.of = of;
    this.announced = 0;
    this.advance(0);
  }

  advance(done) {
    this.done = done;
    // What is said meanwhile may come along, so there can be more in the end than there were at the beginning.
    this.of = Math.max(this.of, done);
    this.bar.max = this.of || 1;
    this.bar.value = done;
    this.say(this.reached());
    if (Date.now() - this.announced > ANNOUNCE) this.announce(this.reached());
  }

  finish(name, blob) {
    const link = Object.assign(document.createElement("a"), {
      className: "btn btn-sm btn-quiet", href: URL.createObjectURL(blob), download: name, textContent: "Save again",
    });
    this.close(`${name} is complete: ${counted(this.done, this.noun)}, ${sized(blob.size)}.`);
    this.place.classList.add("is-whole");
    this.actions.prepend(link);
    this.release = () => URL.revokeObjectURL(link.href);
    link.click();
  }

  end(isStopped) {
    const at = this.of === undefined ? "" : ` at ${this.reached()}`;
    if (isStopped) this.close(`Stopped${at}. Nothing was kept.`);
    else this.fail(`The export broke off${at}. Nothing incomplete was kept; try again in a moment.`);
  }

  fail(words) {
    this.close(words);
    this.place.classList.add("is-bad");
    this.offer("Try again", () => {
      this.place.remove();
      this.retry();
    });
  }

  leave() {
    this.place.remove();
    location.reload();
  }

  close(words) {
    const wasFocused = this.actions.contains(document.activeElement);
    this.say(words);
    this.announce(words);
    this.place.querySelector(".quiet").remove();
    this.bar.hidden = true;
    this.actions.replaceChildren();
    const button = this.offer("Close", () => {
      this.release?.();
      this.place.remove();
    });
    if (wasFocused) button.focus();
  }

  offer(words, act) {
    const button = Object.assign(document.createElement("button"), {
      type: "button", className: "btn btn-sm btn-quiet", textContent: words,
    });
    button.addEventListener("click", act);
    this.actions.prepend(button);
    return button;
  }

  say(words) {
    this.place.querySelector("[data-said]").textContent = words;
  }

  announce(words) {
    this.announced = Date.now();
    this.place.querySelector("[role=status]").textContent = words;
  }

  reached() {
    return `${this.done.toLocaleString("en")} of ${counted(this.of, this.noun)}`;
  }
}

function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function sized(bytes) {
  const [unit, name] = bytes < 1e6 ? [1e3, "kB"] : [1e6, "MB"];
  return `${Math.max(bytes / unit, 0.1).toLocaleString("en", { maximumFractionDigits: 1 })} ${name}`;
}

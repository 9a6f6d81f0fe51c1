// dialogs.js - modal questions. One at a time; the focus goes back to where it was.
import { el } from "./dom.js";

let last = Promise.resolve();

// Shows one dialog when the earlier ones are answered. `fill(close)` gives its content; close(answer) ends it.
// `given.escape`: the answer of the Escape key; without it the dialog stays.
export function open(title, fill, given = {}) {
  const shown = last.then(() => new Promise((answered) => {
    const close = (answer) => {
      box.close();
      box.remove();
      answered(answer);
    };
    const box = el("dialog", { "aria-labelledby": "dialog-title", class: given.class,
      oncancel: (event) => {
        event.preventDefault();
        if ("escape" in given) close(given.escape);
      } }, el("h2", { id: "dialog-title" }, title), fill(close));
    document.body.append(box);
    box.showModal();
  }));
  last = shown.catch(() => {});
  return shown;
}

export function ask(title, text, { label, value = "", secret = false, most = 200 }) {
  return open(title, (close) => {
    const input = el("input", { id: "asked", type: secret ? "password" : "text", required: true, maxlength: most, value,
      autocomplete: "off", spellcheck: "false" });
    return el("form", { onsubmit: (event) => {
      event.preventDefault();
      if (input.value.trim()) close(input.value);
    } }, el("p", {}, text), el("label", { for: "asked" }, label), input,
    el("div", { class: "buttons" }, el("button", { class: "main" }, "Continue")));
  });
}

// `buttons`: [text, answer] each, the first one stands out; Escape gives the last one's answer.
export function choose(title, content, buttons) {
  return open(title, (close) => el("div", {}, content, el("div", { class: "buttons" }, buttons.map(([text, answer], i) =>
    el("button", { class: i ? "" : "main", onclick: () => close(answer) }, text)))), { escape: buttons.at(-1)[1] });
}

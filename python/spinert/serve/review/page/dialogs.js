// dialogs.js - modal questions, one at a time. The browser gives the focus back to where it was.
import { el } from "./dom.js";

let last = Promise.resolve();

// `fill(close)` gives the content; close(answer) ends it. Escape gives `escape`; without it the dialog stays.
function open(title, fill, escape) {
  last = last.then(() => new Promise((answered) => {
    const box = el("dialog", { "aria-labelledby": "dialog-title", oncancel: (event) => {
      event.preventDefault();
      if (escape !== undefined) close(escape);
    } }, el("h2", { id: "dialog-title" }, title));
    const close = (answer) => {
      box.close();
      box.remove();
      answered(answer);
    };
    box.append(fill(close));
    document.body.append(box);
    box.showModal();
  }));
  return last;
}

export const ask = (title, text, { value = "", secret = false }) => open(title, (close) => {
  const input = el("input", { id: "asked", type: secret ? "password" : "text", required: true, maxlength: secret ? 500 : 64, value,
    autocomplete: "off" });
  return el("form", { onsubmit: (event) => {
    event.preventDefault();
    if (input.value.trim()) close(input.value.trim());
  } }, el("label", { for: "asked" }, text), input, el("div.buttons", el("button.main", "Continue")));
});

// `buttons`: [text, answer] each; the first one stands out, Escape gives the last one's answer.
export const choose = (title, content, buttons) => open(title, (close) => el("div", content, el("div.buttons", buttons.map(
  ([text, answer], i) => el(i ? "button" : "button.main", { onclick: () => close(answer) }, text)))), buttons.at(-1)[1]);

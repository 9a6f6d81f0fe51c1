// dom.js - elements without HTML text: what comes from a report or a person is only ever a text node.

export const $ = (id) => document.getElementById(id);

// el("p.small", { id: "x", onclick: run, "--k": "red" }, "text", child, false)
export function el(name, ...rest) {
  const [tag, ...classes] = name.split("."), made = document.createElement(tag);
  made.className = classes.join(" ");
  for (const [key, value] of Object.entries(rest[0]?.constructor === Object ? rest.shift() : {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) made.style.setProperty(key, value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...rest.flat(2).filter((one) => one || one === 0));
  return made;
}

// `key`: what presses it as well; shown on it.
export const button = (text, key, run, given = {}) => el("button", { type: "button", "data-key": text, onclick: run, ...given },
  text, key && [" ", el("kbd", key)]);

export const when = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

// Said to everyone: shown for a few seconds and read out.
let fades;
export function say(text) {
  $("said").textContent = text;
  $("said").classList.add("shown");
  clearTimeout(fades);
  fades = setTimeout(() => $("said").classList.remove("shown"), 4000);
}

// Stays until it is dismissed: something is not as the reader may think.
export function alarm(text) {
  $("alarm-text").textContent = text;
  $("alarm").hidden = !text;
}

// A modal question, one at a time. `fill(close)` gives the content; close(answer) ends it. Escape gives `escape`; without it
// the dialog stays.
let last = Promise.resolve();
function open(title, fill, escape) {
  last = last.then(() => new Promise((answered) => {
    const close = (answer) => {
      box.remove();
      answered(answer);
    };
    const box = el("dialog", { "aria-labelledby": "title", oncancel: (event) => {
      event.preventDefault();
      if (escape !== undefined) close(escape);
    } }, el("h2", { id: "title" }, title), fill((answer) => close(answer)));
    document.body.append(box);
    box.showModal();
  }));
  return last;
}

export const ask = (title, text, type, value = "") => open(title, (close) => {
  const input = el("input", { id: "asked", type, required: true, maxlength: type === "text" ? 64 : 500, value, autocomplete: "off" });
  return el("form", { onsubmit: (event) => {
    event.preventDefault();
    if (input.value.trim()) close(input.value.trim());
  } }, el("label", { for: "asked" }, text), input, el("button.main", "Continue"));
});

// `buttons`: [text, answer] each; Escape gives the last one's answer.
export const choose = (title, content, ...buttons) => open(title, (close) => el("div", content, el("div.bar", buttons.map(
  ([text, answer]) => button(text, "", () => close(answer))))), buttons.at(-1)[1]);

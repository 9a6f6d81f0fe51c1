// dom.js - elements without HTML text: what comes from a report or a person is only ever a text node.

export const $ = (id) => document.getElementById(id);

// el("p.small", { id: "x", onclick: run, "--k": "red" }, "text", child, false)
export function el(name, ...rest) {
  const [tag, ...classes] = name.split("."), made = document.createElement(tag);
  const given = rest[0]?.constructor === Object ? rest.shift() : {};
  made.className = classes.join(" ");
  for (const [key, value] of Object.entries(given)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) made.style.setProperty(key, value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...rest.flat().filter((one) => one || one === 0));
  return made;
}

// `key`: what presses it as well; shown on it.
export const button = (text, key, run, given = {}) => el("button", { type: "button", "data-key": text, onclick: run,
  "aria-keyshortcuts": key || false, ...given }, text, key && [" ", el("kbd", key)]);

export function when(text) {
  return new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

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

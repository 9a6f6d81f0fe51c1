// dom.js - elements without HTML text: what comes from a report or a person is only ever a text node.

export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "colour") made.style.setProperty("--k", value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

export const $ = (id) => document.getElementById(id);

export function when(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? text : time.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

// Said to everyone: shown for a few seconds and read out.
let fades;
export function say(text) {
  const line = $("said");
  line.textContent = text;
  line.classList.add("shown");
  clearTimeout(fades);
  fades = setTimeout(() => line.classList.remove("shown"), 5000);
}

// Stays until it is dismissed or replaced: something is not as the reader may think.
export function alarm(text) {
  $("alarm-text").textContent = text;
  $("alarm").hidden = !text;
}

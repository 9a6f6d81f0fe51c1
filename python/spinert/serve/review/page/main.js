// main.js - what is shown for an address, who reviews, and the banner on what is saved.
import { ask, open } from "./dialogs.js";
import { $, alarm, el } from "./dom.js";
import { openEditor } from "./editor.js";
import { openList } from "./list.js";

const NAME = "spinert.reviewer";
let shown = { close() {}, keys: [] };
let turn = 0;

function showName() {
  $("reviewer").textContent = `Reviewer: ${localStorage.getItem(NAME) ?? "nobody"}`;
}

async function askName() {
  const name = await ask("Who reviews?", "Your name stands beside every correction that you make.",
    { label: "Name", value: localStorage.getItem(NAME) ?? "", most: 64 });
  localStorage.setItem(NAME, name.trim().replace(/\p{C}/gu, ""));
  showName();
  return localStorage.getItem(NAME);
}

// `unsaved`: how many edits are on their way; `problem`: why they stay there.
function showSaved(unsaved, problem) {
  const line = $("saved");
  line.className = problem ? "saved bad" : "saved";
  const why = problem?.status === 507 ? "the disk of the service is full" : problem?.status ? problem.message
    : "the service does not answer";
  line.textContent = problem ? `${unsaved} not saved: ${why}. Kept here, tried again` : unsaved ? "Saving" : "All saved";
}

function help() {
  const rows = shown.keys.map(([keys, text]) => el("tr", {}, el("td", {}, keys.map((key) =>
    [el("kbd", {}, key), " "])), el("td", {}, text)));
  return open("Keys", (close) => el("div", {},
    el("table", { class: "keys" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Key"), el("th", { scope: "col" }, "What it does"))),
      el("tbody", {}, rows)),
    el("p", { class: "soft" }, "Mouse: wheel for slices, Ctrl and wheel for zoom, right button for the window, drag to pan. ",
      "Touch: two fingers for zoom and pan."),
    el("div", { class: "buttons" }, el("button", { class: "main", onclick: () => close() }, "Close"))), { escape: null, class: "wide" });
}

async function route() {
  const mine = ++turn;
  shown.close();
  shown = { close() {}, keys: [] };
  $("saved").textContent = "";
  $("notice").textContent = "";
  alarm("");
  const [, job, study] = location.hash.match(/^#\/([0-9a-f]{32})\/([1-9][0-9]*)$/) ?? [];
  $("main").replaceChildren(el("p", { class: "soft wait" }, "Loading"));
  try {
    const who = job && (localStorage.getItem(NAME) ?? await askName());
    if (mine !== turn) return;
    const next = job ? await openEditor(job, Number(study), who, showSaved) : await openList();
    if (mine !== turn) return next.close();
    shown = next;
    $("main").replaceChildren(next.root);
    document.title = `${next.title} - SpineRT review`;
    (next.focus ?? $("main")).focus({ preventScroll: true });
    next.shown?.();
  } catch (problem) {
    if (mine !== turn) return;
    $("main").replaceChildren(el("h1", {}, "This cannot be shown"), el("p", {}, problem.message),
      el("p", {}, el("a", { href: "#/" }, "All studies")));
  }
}

addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=range]), select, textarea, dialog");
  if (typing || event.altKey || event.metaKey || event.isComposing) return;
  const name = `${event.ctrlKey ? "Ctrl+" : ""}${event.shiftKey && event.key.length > 1 ? "Shift+" : ""}${event.key}`;
  if (name === "?") return help();
  // A focused button or slider keeps the keys that are its own.
  if (event.target.closest("button, a") && ["Enter", " "].includes(event.key)) return;
  if (event.target.closest("input[type=range]") && event.key.startsWith("Arrow")) return;
  const found = shown.keys.find(([keys]) => keys.includes(name));
  if (!found) return;
  event.preventDefault();
  found[2](name);
});
// A problem that nobody foresaw must not look like a page that works.
for (const kind of ["error", "unhandledrejection"]) {
  addEventListener(kind, (event) => alarm(`Something went wrong, reload the page: ${(event.reason ?? event.error)?.message ?? ""}`));
}
$("reviewer").addEventListener("click", async () => {
  const name = await askName();
  if (shown.study) shown.study.who = name;
});
$("help").addEventListener("click", help);
$("alarm-close").addEventListener("click", () => alarm(""));
showName();
route();

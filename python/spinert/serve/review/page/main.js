// main.js - what is shown for an address, who reviews, the keys, and whether all is saved.
import { $, alarm, ask, choose, el } from "./dom.js";
import { Editor } from "./editor.js";
import { openList } from "./list.js";

const NAME = "spinert.reviewer", DISK_FULL = 507;
let shown, turn = 0;

async function askName() {
  const name = await ask("Who reviews?", "Your name; it stands beside every correction", "text", localStorage.getItem(NAME) ?? "");
  localStorage.setItem(NAME, name.replace(/\p{C}/gu, "") || "nobody");
  return showName();
}

function showName() {
  const name = localStorage.getItem(NAME);
  $("reviewer").textContent = `Reviewer: ${name ?? "nobody"}`;
  return name;
}

// `count`: edits on their way; `problem`: why they stay there.
function showSaved(count, problem) {
  $("saved").className = problem ? "gap bad" : "gap soft";
  $("saved").textContent = !problem ? (count ? "Saving" : "All saved")
    : `${count} not saved: ${problem.status === DISK_FULL ? "the disk of the service is full" : problem.message}. Kept here and tried again`;
}

function help() {
  choose("Keys", el("div", el("table", shown.keys.map(([keys, text]) => el("tr", el("th", { scope: "row" }, keys.map((key) => [el("kbd", key), " "])), el("td", text)))),
    el("p", "Mouse: wheel for slices, Ctrl and wheel for zoom, right button for the window. Touch: two fingers for zoom and pan.")), ["Close", null]);
}

async function edit(job, study) {
  const editor = new Editor(job, Number(study), showName() ?? await askName(), showSaved);
  await editor.load();
  return editor;
}

async function route() {
  const mine = ++turn, [, job, study] = location.hash.match(/^#\/([0-9a-f]{32})\/([1-9][0-9]*)$/) ?? [];
  shown?.close();
  shown = undefined;
  $("saved").textContent = $("notice").textContent = "";
  alarm("");
  try {
    const next = await (job ? edit(job, study) : openList());
    if (mine !== turn) return next.close();
    shown = next;
    $("main").replaceChildren(next.root);
    document.title = `${next.title} - SpineRT review`;
    (next.focus ?? $("main")).focus({ preventScroll: true });
    next.shown?.();
  } catch (problem) {
    if (mine === turn) $("main").replaceChildren(el("h1", "This cannot be shown"), el("p", problem.message));
  }
}

addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  const { target, key, ctrlKey, shiftKey } = event;
  // A field, button, link or slider that has the focus keeps the keys that are its own.
  if (!shown || event.altKey || event.metaKey || target.closest("input:not([type=range]), select, dialog") ||
      (["Enter", " "].includes(key) && target.closest("button, a")) || (key.startsWith("Arrow") && target.closest("[type=range]"))) return;
  const name = `${ctrlKey ? "Ctrl+" : ""}${shiftKey && key.length > 1 ? "Shift+" : ""}${key}`;
  const run = name === "?" ? help : shown.keys.find(([keys]) => keys.includes(name))?.[2];
  if (!run) return;
  event.preventDefault();
  run(name);
});
// A problem that nobody foresaw must not look like a page that works.
for (const kind of ["error", "unhandledrejection"]) addEventListener(kind, ({ reason, error }) => alarm(`Reload this page: ${(reason ?? error)?.message}`));
$("reviewer").addEventListener("click", async () => {
  const who = await askName();
  if (shown?.study) shown.study.who = who;
});
$("help").addEventListener("click", help);
$("alarm-close").addEventListener("click", () => alarm(""));
showName();
route();

// list.js - all studies, the most urgent first. A study without a result stands apart and says so: it must never look
// like one in which nothing was found.
import { getJson, request } from "./api.js";
import { alarm, button, el, say, when } from "./dom.js";
import { unsent } from "./outbox.js";

const POLL_MS = 5000;
const GROUPS = { positive: "Positive", review: "A person must look", negative: "Negative", failed: "NOT diagnosed: no result", waiting: "NOT diagnosed yet" };
const ENDED = ["finished", "failed", "cancelled"], WITH_RESULT = [0, 11, 13];  // states of jobs; exit codes
const filter = { text: "", show: "all" };

function group({ state, made }) {
  if (state === "finished" && WITH_RESULT.includes(made.exit_code)) return ["positive", "negative"].includes(made.alert) ? made.alert : "review";
  return ENDED.includes(state) ? "failed" : "waiting";
}

const diagnosed = (row) => !["failed", "waiting"].includes(group(row));
const rank = (row) => Object.keys(GROUPS).indexOf(group(row));
const sorted = (rows) => rows.toSorted((a, b) => rank(a) - rank(b) || b.number - a.number || a.study - b.study);
const address = (row) => `#/${row.job}/${row.study}`;
const title = ({ name, files, studies, study, made }) => made.kind === "dicom" ? `Study ${made.name}` : (name || "no name") + (files > 1 ? ` and ${files - 1} more` : "") +
  (studies > 1 ? `, study ${study} of ${studies}: ${made.name}` : "");

// The address of the next study that nobody has accepted; null: there is none.
export async function nextStudy(job, study) {
  const rows = sorted((await getJson("review")).studies), at = rows.findIndex((row) => row.job === job && row.study === study);
  const next = [...rows.slice(at + 1), ...rows.slice(0, at)].find((row) => diagnosed(row) && row.review.state !== "accepted");
  return next ? address(next) : null;
}

function line(row) {
  const { made, review: { state, who, when: time, accepted, reviewable } } = row, result = diagnosed(row), waits = unsent(row.job, row.study);
  return el("tr", el("td", el(`span.pill.${group(row)}`, result ? made.alert : row.state), result && made.status !== "completed" && el("span.pill.failed", made.status)),
    el("th", { scope: "row" }, result ? el("a", { href: address(row) }, title(row)) : title(row), !result && el("p.small.bad", row.message || made.error || row.error)),
    el("td", made.slices), el("td", when(row.accepted)),
    el("td", !result ? "nothing to review" : who ? `${state}, ${accepted} of ${reviewable} slices; ${who}, ${when(time)}` : state,
      waits > 0 && el("p.small.bad", `${waits} of your changes not saved yet: open the study`)));
}

async function save() {
  const link = el("a", { download: "corrections.zip" });
  link.href = URL.createObjectURL(await (await request("corrections", { signal: null })).blob());
  link.click();
}

export async function openList() {
  let answer = await getJson("review"), waiting = "";
  const waits = () => answer.studies.map(({ job, study }) => unsent(job, study)).join();
  const found = el("div"), count = el("p.soft", { role: "status" }), links = () => [...found.querySelectorAll("a")];
  const search = el("input", { id: "search", type: "search", value: filter.text, autocomplete: "off", oninput: () => fill() });
  const which = el("select", { id: "which", onchange: () => fill() }, ["all", "not accepted", "untouched", "in work", "accepted"].map((one) =>
    el("option", { selected: one === filter.show }, one)));

  function fill() {
    waiting = waits();
    const focus = document.activeElement?.href, { text, show } = Object.assign(filter, { text: search.value, show: which.value });
    const rows = sorted(answer.studies).filter((row) => `${title(row)} ${row.job}`.toLowerCase().includes(text.toLowerCase()) &&
      (show === "all" || row.review.state === show || (show === "not accepted" && row.review.state !== "accepted")));
    count.textContent = `${rows.length} of ${answer.studies.length} studies${answer.left_out ? `. ${answer.left_out} older jobs are not shown` : ""}`;
    found.replaceChildren(...Object.entries(GROUPS).map(([name, heading]) => {
      const own = rows.filter((row) => group(row) === name);
      return own.length ? el("section", el("h2", { id: name }, `${heading} `, el("span.soft", own.length)), el("table", { "aria-labelledby": name },
        el("thead", el("tr", ["Alert", "Study", "Slices", "Received", "Review"].map((one) => el("th", { scope: "col" }, one)))), el("tbody", own.map(line)))) : "";
    }));
    links().find((one) => one.href === focus)?.focus();
  }

  const step = (by) => {
    const all = links(), at = all.indexOf(document.activeElement);
    all[Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
  };
  const timer = setInterval(async () => {
    const fresh = await getJson("review").catch((problem) => alarm(`This list may be old: ${problem.message}`));
    if (fresh) alarm("");
    if (!fresh || (JSON.stringify(fresh) === JSON.stringify(answer) && waits() === waiting)) return;
    answer = fresh;
    fill();
  }, POLL_MS);
  fill();
  return { title: "Studies", close: () => clearInterval(timer),
    root: el("div.wrap", el("div.bar", el("h1.gap", "Studies"), el("label", { for: "search" }, "Find"), search, el("label", { for: "which" }, "Review"), which,
      button("Export accepted", "", () => save().catch((problem) => say(`No export: ${problem.message}`)))), count, found),
    keys: [[["j", "ArrowDown"], "next study", () => step(1)], [["k", "ArrowUp"], "study before", () => step(-1)], [["/"], "find", () => search.focus()]] };
}

// list.js - all studies, the most urgent first. A study without a result stands apart and says so: it must never look
// like one in which nothing was found.
import { download, getJson } from "./api.js";
import { alarm, el, say, when } from "./dom.js";

const POLL_MS = 5000;
const GROUPS = [
  ["positive", "Positive"], ["review", "A person must look"], ["negative", "Negative"],
  ["failed", "NOT diagnosed: no result"], ["waiting", "NOT diagnosed yet"],
];
const ENDED = ["finished", "failed", "cancelled"], WITH_RESULT = [0, 11, 13];
let filter = { text: "", show: "all" };

function group(row) {
  if (row.state === "finished" && WITH_RESULT.includes(row.made.exit_code)) {
    return ["positive", "negative"].includes(row.made.alert) ? row.made.alert : "review";
  }
  return ENDED.includes(row.state) ? "failed" : "waiting";
}

const diagnosed = (row) => !["failed", "waiting"].includes(group(row));

function sorted(rows) {
  const rank = (row) => GROUPS.findIndex(([name]) => name === group(row));
  return rows.sort((a, b) => rank(a) - rank(b) || b.number - a.number || a.study - b.study);
}

// The address of the next study in this order that nobody has accepted; null: there is none.
export async function nextStudy(job, study) {
  const rows = sorted((await getJson("review")).studies);
  const at = rows.findIndex((row) => row.job === job && row.study === study);
  const next = [...rows.slice(at + 1), ...rows.slice(0, at + 1)].find((row) =>
    diagnosed(row) && row.review.state !== "accepted" && (row.job !== job || row.study !== study));
  return next ? `#/${next.job}/${next.study}` : null;
}

function reviewText({ state, accepted, reviewable, who, when: time, message }) {
  if (state === "untouched") return "untouched";
  if (state === "damaged") return `damaged: ${message}`;
  const by = `${who}, ${when(time)}`;
  return state === "accepted" ? `accepted by ${by}` : `in work, ${accepted} of ${reviewable} slices accepted; ${by}`;
}

const title = (row) => row.name + (row.files > 1 ? ` and ${row.files - 1} more` : "") +
  (row.studies > 1 ? `, study ${row.study} of ${row.studies}: ${row.made.name}` : "");

function line(row) {
  const name = group(row), link = `#/${row.job}/${row.study}`;
  const partial = diagnosed(row) && row.made.status !== "completed";
  const word = diagnosed(row) ? row.made.alert : row.state;
  const why = diagnosed(row) ? "" : row.message || row.made.error || row.error;
  return el("tr", { class: row.review.state === "accepted" ? "done" : null },
    el("td", {}, el("span", { class: `pill ${name}` }, word), partial && el("span", { class: "pill review" }, row.made.status)),
    el("th", { scope: "row" }, diagnosed(row) ? el("a", { href: link, "data-key": link }, title(row)) : title(row),
      why && el("span", { class: "why" }, why)),
    el("td", { class: "number" }, row.made.slices ?? ""), el("td", {}, when(row.accepted)),
    el("td", {}, diagnosed(row) ? reviewText(row.review) : "nothing to review"));
}

export async function openList() {
  let answer = await getJson("review"), text = JSON.stringify(answer);
  const found = el("div"), count = el("p", { class: "soft", role: "status" });
  const search = el("input", { id: "search", type: "search", value: filter.text, placeholder: "name or id", autocomplete: "off",
    oninput: () => { filter.text = search.value; fill(); } });
  const which = el("select", { id: "which", onchange: () => { filter.show = which.value; fill(); } },
    [["all", "all"], ["open", "not accepted"], ["untouched", "untouched"], ["accepted", "accepted"]].map(([value, name]) =>
      el("option", { value, selected: value === filter.show }, name)));

  function fill() {
    const focus = document.activeElement?.dataset.key;
    const wanted = filter.text.toLowerCase();
    const rows = sorted([...answer.studies]).filter((row) => `${title(row)} ${row.job}`.toLowerCase().includes(wanted) &&
      (filter.show === "all" || (filter.show === "open" ? row.review.state !== "accepted" : row.review.state === filter.show)));
    count.textContent = `${rows.length} of ${answer.studies.length} studies, ` +
      `${answer.studies.filter((row) => row.review.state === "accepted").length} accepted` +
      (answer.left_out ? `. ${answer.left_out} older jobs are not shown` : "");
    found.replaceChildren(...GROUPS.map(([name, heading]) => {
      const own = rows.filter((row) => group(row) === name);
      return own.length ? el("section", {}, el("h2", { id: `group-${name}` }, `${heading} `, el("span", { class: "soft" }, own.length)),
        el("table", { class: "studies", "aria-labelledby": `group-${name}` },
          el("thead", {}, el("tr", {}, ["Alert", "Study", "Slices", "Received", "Review"].map((one) => el("th", { scope: "col" }, one)))),
          el("tbody", {}, own.map(line)))) : "";
    }));
    if (!rows.length) found.append(el("p", {}, answer.studies.length ? "No study matches." : "No study has come in yet."));
    if (focus) links().find((one) => one.dataset.key === focus)?.focus();
  }

  const links = () => [...found.querySelectorAll("a")];
  const step = (by) => {
    const all = links(), at = all.indexOf(document.activeElement);
    all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
  };
  const timer = setInterval(async () => {
    try {
      const fresh = await getJson("review"), now = JSON.stringify(fresh);
      alarm("");
      if (now !== text) [answer, text] = [fresh, now];
      else return;
      fill();
    } catch (problem) {
      alarm(`This list may be old: ${problem.message}`);
    }
  }, POLL_MS);
  const exporting = async () => {
    try {
      await download("corrections", "corrections.zip");
      say("The export was handed to the browser");
    } catch (problem) {
      say(`No export: ${problem.message}`);
    }
  };
  fill();
  return { title: "Studies", close: () => clearInterval(timer),
    root: el("div", { class: "wrap" }, el("div", { class: "head" }, el("h1", {}, "Studies"),
      el("div", { class: "filters" }, el("label", { for: "search" }, "Find"), search, el("label", { for: "which" }, "Review"), which,
        el("button", { type: "button", onclick: exporting }, "Export accepted (.zip)"))), count, found),
    keys: [[["j", "ArrowDown"], "next study", () => step(1)], [["k", "ArrowUp"], "study before", () => step(-1)],
      [["Enter"], "open the study that has the focus", () => document.activeElement.click?.()],
      [["/"], "find", () => search.focus()]] };
}

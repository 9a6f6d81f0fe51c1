// panel.js - beside the slice: its state, its vertebrae with labels, probabilities and patches, and the buttons for all that
// keys do.
import { el, when } from "./dom.js";
import { colour, contradictory, labelText, leading, needsLabels, title } from "./labels.js";

const PATCH = 88;  // pixels of a drawn patch

const number = (value) => value.toFixed(3);

// `act`: { select(id), toggle(label), remove(), restore(id), accept(), reopen() }; `draw(canvas, square)` paints a patch.
export function panel(study, slice, chosen, act, draw) {
  const all = study.vertebrae(slice), { accepted, pending } = study.acceptance(slice);
  const open = all.filter((one) => one.state && needsLabels(one.state.labels));
  const state = accepted
    ? el("p", { class: "banner good" }, pending ? "Accepting" : `Accepted by ${accepted.who}, ${when(accepted.when)}`)
    : el("p", { class: "banner" }, slice.picture ? "Not accepted yet" : "Only to look at");
  return [
    el("div", { class: "card" },
      el("div", { class: "line" }, el("h2", {}, slice.source), el("span", { class: `pill ${slice.alert}` }, slice.alert),
        slice.status !== "completed" && el("span", { class: "pill failed" }, slice.status)),
      slice.reasons.length > 0 && el("ul", { class: "reasons" }, slice.reasons.map((one) => el("li", {}, one.text || one.code))),
      !slice.picture && el("p", { class: "banner warn" }, "This result holds no pixels of the slice, only the drawn preview. " +
        "It cannot be corrected; diagnose the study again."),
      state,
      slice.picture && el("div", { class: "buttons" }, accepted
        ? el("button", { type: "button", "data-key": "reopen", onclick: act.reopen }, "Reopen ", el("kbd", {}, "r"))
        : el("button", { type: "button", class: "main", "data-key": "accept", onclick: act.accept }, "Accept slice ", el("kbd", {}, "a"))),
      open.length > 0 && slice.picture && el("p", { class: "small" }, `Before it can be accepted: ${open.map((one) =>
        `vertebra ${one.name} ${one.state.labels.length ? "is normal and diseased" : "has no label"}`).join("; ")}.`)),
    el("section", { class: "card", "aria-label": "Vertebrae" }, el("h2", {}, `Vertebrae `, el("span", { class: "soft" },
      all.filter((one) => one.state).length)),
    all.length ? el("ul", { class: "vertebrae" }, all.map((one) => el("li", {}, row(one, one.id === chosen, act),
      one.id === chosen && details(study, slice, one, act, draw)))) : el("p", {}, "None was found on this slice.")),
  ];
}

function mark(one) {
  if (!one.state) return "removed";
  if (one.pending) return "saving";
  if (!one.found) return "added";
  return one.entry ? "corrected" : "";
}

function row(one, chosen, act) {
  const labels = one.state?.labels ?? [], note = mark(one);
  return el("button", { type: "button", class: `row${one.state ? "" : " removed"}`, "data-key": `v${one.id}`, "aria-expanded": String(chosen),
    onclick: () => act.select(chosen ? null : one.id) },
  el("span", { class: "chip", colour: one.state ? colour(leading(labels)) : colour("") }, one.name),
  el("span", { class: "words" }, one.state ? labelText(labels) : "removed"),
  one.state && needsLabels(labels) ? el("span", { class: "pill review" }, "needs labels") : note && one.state && el("span", { class: "pill" }, note),
  one.found && el("span", { class: "soft", title: "score of the detector" }, one.found.score.toFixed(2)));
}

function details(study, slice, one, act, draw) {
  const { found, entry, state } = one, thresholds = study.report.thresholds;
  const source = entry ? `${entry.state ? found ? "Corrected" : "Added" : "Removed"} by ${entry.who}, ${when(entry.when)}`
    : one.pending ? "On its way" : "As the model found it";
  return el("div", { class: "details" },
    el("p", { class: "small" }, source, entry?.state && found ? `. The model said: ${labelText(found.labels)}` : ""),
    slice.picture && state && el("div", { class: "labels", role: "group", "aria-label": `Labels of vertebra ${one.name}` },
      study.report.model.class_names.map((label, i) => toggle(label, i, state, found, thresholds[label], act))),
    !(slice.picture && state) && found && el("ul", { class: "plain" }, Object.entries(found.probabilities).map(([label, value]) =>
      el("li", {}, `${label} ${number(value)}`))),
    found && el("p", { class: "small soft" }, `Detector ${number(found.score)}, threshold ${thresholds.score}. Consistency: ` +
      `${found.consistency}${contradictory(found.labels) ? " (normal and a disease)" : ""}`),
    found && slice.picture && el("figure", { class: "patches" }, el("div", {}, found.patches.map((square) => {
      const canvas = el("canvas", { width: PATCH, height: PATCH, "aria-hidden": "true" });
      draw(canvas, square);
      return canvas;
    })), el("figcaption", { class: "small soft" }, "What the classifier saw, in the present window")),
    slice.picture && el("div", { class: "buttons" }, state
      ? el("button", { type: "button", "data-key": "remove", onclick: act.remove }, "Remove ", el("kbd", {}, "Del"))
      : el("button", { type: "button", "data-key": "restore", onclick: () => act.restore(one) }, "Bring back"),
    state && found && entry && el("button", { type: "button", "data-key": "original", onclick: () => act.restore(one) }, "Back to the model's")));
}

function toggle(label, i, state, found, threshold, act) {
  const value = found?.probabilities[label], on = state.labels.includes(label);
  const bar = value !== undefined && el("span", { class: "bar", "aria-hidden": "true" }, el("i"), el("b"));
  if (bar) {
    bar.style.setProperty("--p", `${value * 100}%`);
    bar.style.setProperty("--t", `${threshold * 100}%`);
  }
  return el("button", { type: "button", class: "label-button", "data-key": `l${label}`, "aria-pressed": String(on), colour: colour(label),
    "aria-keyshortcuts": String(i + 1), onclick: () => act.toggle(label) },
  el("kbd", {}, i + 1), el("span", { class: "name" }, el("strong", {}, label), title(label) !== label && el("small", {}, title(label))),
  value !== undefined ? el("span", { class: "value" }, number(value), bar) : el("span", { class: "value soft" }, "no value"));
}

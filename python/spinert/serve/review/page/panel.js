// panel.js - beside the slice: its state, its vertebrae with labels, probabilities and patches.
import { button, el, when } from "./dom.js";
import { colour, labelText, needsLabels, title } from "./labels.js";

const PATCH = 84;  // pixels of a drawn patch

// `act`: the editor.
export function panel(study, slice, chosen, act) {
  const all = study.vertebrae(slice), present = all.filter((one) => one.state), accepted = study.accepted(slice);
  const open = present.filter((one) => needsLabels(one.state.labels)).map((one) => one.name);
  return [el("section.card", { "aria-label": "Slice" },
    el("h2", slice.source, " ", el(`span.pill.${slice.alert}`, slice.alert), slice.status !== "completed" && el("span.pill.failed", slice.status)),
    slice.reasons.map((one) => el("p.small", one.text || one.code)),
    !slice.picture ? el("p.banner.warn", "Only to look at: this result holds no pixels of the slice. To correct it, diagnose the study again.")
      : accepted ? el("p.banner.negative", accepted.when ? `Accepted by ${accepted.who}, ${when(accepted.when)}` : "Accepting")
        : el("p.banner", open.length ? `Not accepted. Without proper labels: ${open.join(", ")}` : "Not accepted"),
    slice.picture && (accepted ? button("Reopen slice", "r", () => act.reopen()) : button("Accept slice", "a", () => act.accept(), { class: "main" }))),
  el("section.card", { "aria-label": "Vertebrae" }, el("h2", "Vertebrae ", el("span.soft", present.length)),
    el("ul", all.map((one) => el("li", row(one, one.id === chosen, act), one.id === chosen && details(study, slice, one, act)))))];
}

function row({ id, name, state, found, entry, pending }, chosen, act) {
  const note = !state ? "" : needsLabels(state.labels) ? "needs labels" : pending ? "saving" : !found ? "added" : entry ? "corrected" : "";
  return el("button.row", { type: "button", "data-key": `v${id}`, "aria-expanded": String(chosen), onclick: () => act.select(chosen ? null : id) },
    el("span.chip", { "--k": colour(state?.labels ?? []) }, name), el(state ? "strong.gap" : "span.gap.soft", state ? labelText(state.labels) : "removed"),
    note && el("span.pill", note), found && el("span.soft", { title: "score of the detector" }, found.score.toFixed(2)));
}

function details(study, slice, { name, found, entry, state }, act) {
  const { thresholds, model } = study.report;
  return el("div.details",
    el("p.small", entry ? `${!state ? "Removed" : found ? "Corrected" : "Added"} by ${entry.who}, ${when(entry.when)}. ` : "",
      found && `The model: ${labelText(found.labels)}, consistency ${found.consistency}, detector ${found.score.toFixed(3)} (threshold ${thresholds.score}).`),
    state && el("div", { role: "group", "aria-label": `Labels of vertebra ${name}` }, model.class_names.map((label, i) => {
      const value = found?.probabilities[label];
      return el("button.row.of-label", { type: "button", "data-key": label, "aria-pressed": String(state.labels.includes(label)), disabled: !slice.picture,
        "--k": colour([label]), "--p": `${value * 100}%`, "--t": `${thresholds[label] * 100}%`, onclick: () => act.toggle(label) },
      el("kbd", i + 1), el("span.gap", el("strong", label), el("small", title(label))),
      value !== undefined && el("span.value", value.toFixed(3), el("span", el("i"), el("b"))));
    })),
    found && slice.picture && [el("div.patches", found.patches.map((square) => {
      const canvas = el("canvas", { width: PATCH, height: PATCH, "aria-hidden": "true" });
      act.crop(canvas, square);
      return canvas;
    })), el("p.small.soft", "What the classifier saw, in the present window")],
    slice.picture && el("div.bar", state && button("Remove", "Del", () => act.remove()),
      found && entry && button("Back to the model's", "", () => act.restore({ id: String(found.id), found }))));
}

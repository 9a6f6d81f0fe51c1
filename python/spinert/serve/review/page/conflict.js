// conflict.js - two reviewers have changed the same thing: both versions side by side, and the reader chooses.
import { choose } from "./dialogs.js";
import { el, when } from "./dom.js";
import { colour, labelText, leading } from "./labels.js";

const SIDE = 200;  // pixels of a crop

function version(heading, state, square, draw) {
  const canvas = el("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
  draw(canvas, square);
  if (state) {
    const context = canvas.getContext("2d"), scale = SIDE / square[2];
    const [x1, y1, x2, y2] = state.box.map((one, i) => (one - square[i % 2] + square[2] / 2) * scale);
    for (const [style, width] of [["rgba(0,0,0,.65)", 5], [colour(leading(state.labels)), 2]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
  }
  return el("section", {}, el("h3", {}, heading), canvas, el("p", {}, state ? labelText(state.labels) : "removed"),
    state && el("p", { class: "small soft" }, `x ${state.box[0].toFixed(1)} to ${state.box[2].toFixed(1)}, ` +
      `y ${state.box[1].toFixed(1)} to ${state.box[3].toFixed(1)}`));
}

// `mine`: the state that this reader wants. True: it is kept.
export async function conflictDialog(edit, current, mine, draw) {
  const time = when(current.when);
  if (edit.kind === "accept") {
    await choose("The slice has changed", el("p", {}, `${current.who} changed ${edit.slice} (${time}) before it was accepted. ` +
      "It was not accepted: look at it again."), [["Look again", false]]);
    return false;
  }
  const boxes = [mine, current.state].filter(Boolean).map((state) => state.box);
  const low = (i) => Math.min(...boxes.map((box) => box[i])), high = (i) => Math.max(...boxes.map((box) => box[i]));
  const square = boxes.length ? [(low(0) + high(2)) / 2, (low(1) + high(3)) / 2, 1.5 * Math.max(high(2) - low(0), high(3) - low(1))] : [0, 0, 1];
  const name = /^a/.test(edit.vertebra) ? "an added vertebra" : `vertebra ${edit.vertebra}`;
  return choose("Two corrections of one vertebra", el("div", {},
    el("p", {}, `${current.who} changed ${name} on ${edit.slice} (${time}) while you did. Which one holds?`),
    el("div", { class: "versions" }, version("Yours", mine, square, draw), version(`By ${current.who}`, current.state, square, draw))),
  [["Keep mine", true], [`Take that of ${current.who}`, false]]);
}

// editor.js - the page of one study: viewer, panel, keys, and what they mean for the study.
import { download, getJson } from "./api.js";
import { conflictDialog } from "./conflict.js";
import { choose } from "./dialogs.js";
import { alarm, el, say } from "./dom.js";
import { colour, labelText, leading, needsLabels, toggled } from "./labels.js";
import { nextStudy } from "./list.js";
import { panel } from "./panel.js";
import { PRESETS, Pictures, firstWindow } from "./pictures.js";
import { Study } from "./study.js";
import { Viewer, moved } from "./viewer.js";

const NEW_SIDE = 60;  // pixels of a box that the keyboard adds

export async function openEditor(job, number, who, showSaved) {
  const editor = new Editor(job, number, who, showSaved);
  await editor.load();
  return editor;
}

class Editor {
  constructor(job, number, who, showSaved) {
    Object.assign(this, { job, number, showSaved, at: 0, chosen: null, candidates: false, seen: new Set() });
    this.study = new Study(job, number, who, (edit, current) => this.resolve(edit, current));
    this.pictures = new Pictures(job, number);
  }

  async load() {
    const [about] = await Promise.all([getJson(`jobs/${this.job}`), this.study.load()]);
    const { report, slices } = this.study;
    this.title = about.files[0]?.client_name ?? this.job;
    this.keys = this.makeKeys();
    this.build(report, slices);
    this.study.addEventListener("change", () => this.refresh());
    this.study.addEventListener("foreign", ({ detail }) => say(detail.length > 2 ? `${detail.length} changes by others` : detail.join(". ")));
    this.study.addEventListener("refused", ({ detail }) => alarm(detail));
  }

  get slice() {
    return this.study.slices[this.at];
  }

  build(report, slices) {
    const button = (text, key, run, more = {}) => el("button", { type: "button", onclick: run, "aria-keyshortcuts": key, ...more },
      text, " ", el("kbd", {}, key));
    this.stage = el("div", { class: "stage", tabindex: "0", role: "application", "aria-label": "Slice. Press ? for the keys",
      "aria-describedby": "readout" });
    const canvas = el("canvas", { "aria-hidden": "true" });
    this.wait = el("p", { class: "over", hidden: true });
    this.stage.append(canvas, this.wait);
    this.viewer = new Viewer(this.stage, canvas, {
      box: (id, box) => this.put(id, { box }), select: (id) => this.select(id), add: (box) => this.add(box),
      step: (by) => this.step(by), window: (level, width) => this.setWindow(level, width), cursor: (...given) => this.readout(...given) });
    this.slider = el("input", { type: "range", min: 1, max: Math.max(slices.length, 1), value: 1, "aria-label": "Slice",
      oninput: () => this.go(this.slider.value - 1) });
    this.ticks = el("div", { class: "ticks", "aria-hidden": "true" }, slices.map(() => el("i")));
    this.count = el("span", { class: "count" });
    this.reads = el("output", { id: "readout", class: "readout" });
    this.level = el("input", { id: "level", type: "number", onchange: () => this.typedWindow() });
    this.width = el("input", { id: "width", type: "number", min: 1, onchange: () => this.typedWindow() });
    this.unit = el("span", { class: "soft" });
    this.adds = button("Add", "b", () => this.toggleAdding(), { "aria-pressed": "false" });
    this.undos = button("Undo", "z", () => this.undo(false));
    this.redos = button("Redo", "y", () => this.undo(true));
    this.side = el("aside", { class: "side", "aria-label": "This slice" });
    document.getElementById("notice").textContent = report.model.notice ?? "";
    this.root = el("div", { class: "study" },
      el("div", { class: "bar" }, el("h1", {}, this.title), el("span", { class: `pill ${report.alert}` }, report.alert),
        report.status !== "completed" && el("span", { class: "pill failed" }, report.status),
        el("span", { class: "gap" }), this.adds, this.undos, this.redos,
        button("Accept all", "A", () => this.acceptAll()),
        el("button", { type: "button", onclick: () => this.export() }, "Export"),
        button("Next study", "N", () => this.nextStudy())),
      slices.length ? el("div", { class: "work" },
        el("div", { class: "left" }, this.stage,
          el("div", { class: "strip" }, button("\u25b2", ",", () => this.step(-1), { "aria-label": "Slice before" }),
            el("div", { class: "slices" }, this.slider, this.ticks), button("\u25bc", ".", () => this.step(1), { "aria-label": "Next slice" }), this.count),
          el("div", { class: "strip" }, this.reads, el("span", { class: "gap" }),
            el("label", { for: "level" }, "Level"), this.level, el("label", { for: "width" }, "Width"), this.width, this.unit,
            button("Preset", "w", () => this.preset()), button("\u2212", "-", () => this.viewer.zoom(1 / 1.25), { "aria-label": "Zoom out" }),
            button("+", "+", () => this.viewer.zoom(1.25), { "aria-label": "Zoom in" }), button("Fit", "0", () => this.viewer.fit()))),
        this.side) : el("p", { class: "banner warn" }, "NOT diagnosed: the report holds no slice. Nothing may be concluded from this page."));
    this.focus = this.stage;
  }

  makeKeys() {
    const labels = this.study.report.model.class_names.slice(0, 9);
    return [
      [[",", "PageUp"], "slice before (arrow up, if no box is chosen)", () => this.step(-1)],
      [[".", "PageDown"], "next slice (arrow down, if no box is chosen)", () => this.step(1)],
      [["g"], "next slice that is not accepted", () => this.nextOpen()],
      [["n"], "next vertebra", () => this.cycle(1)], [["p"], "vertebra before", () => this.cycle(-1)],
      [["Escape"], "choose none, stop adding", () => (this.viewer.adding ? this.toggleAdding() : this.select(null))],
      [["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"], "move the chosen box by a pixel (with Ctrl by 10)", (key) => this.arrow(key, 1)],
      [["Ctrl+ArrowUp", "Ctrl+ArrowDown", "Ctrl+ArrowLeft", "Ctrl+ArrowRight"], "move it by 10 pixels", (key) => this.arrow(key, 10)],
      [["Shift+ArrowUp", "Shift+ArrowDown", "Shift+ArrowLeft", "Shift+ArrowRight"], "move its right and lower side",
        (key) => this.arrow(key, 1, [false, false, true, true])],
      [["Ctrl+Shift+ArrowUp", "Ctrl+Shift+ArrowDown", "Ctrl+Shift+ArrowLeft", "Ctrl+Shift+ArrowRight"], "move its left and upper side",
        (key) => this.arrow(key, 1, [true, true, false, false])],
      [labels.map((_, i) => String(i + 1)), `labels of the chosen box: ${labels.join(", ")}`, (key) => this.toggle(labels[key - 1])],
      [["b"], "add a box: draw it, or Enter for one in the middle", () => this.toggleAdding()],
      [["Enter"], "while adding: a box in the middle", () => this.viewer.adding && this.addInTheMiddle()],
      [["Delete", "Backspace", "x"], "remove the chosen box", () => this.remove()],
      [["z", "Ctrl+z"], "undo", () => this.undo(false)], [["y", "Z", "Ctrl+y", "Ctrl+Z"], "redo", () => this.undo(true)],
      [["a"], "accept the slice, go to the next open one", () => this.accept()], [["r"], "reopen the slice", () => this.reopen()],
      [["A"], "accept all slices", () => this.acceptAll()],
      [["w"], "next window", () => this.preset()],
      [["["], "darker: level up", () => this.nudge(0.05, 1)], [["]"], "brighter: level down", () => this.nudge(-0.05, 1)],
      [["{"], "more contrast", () => this.nudge(0, 1 / 1.1)], [["}"], "less contrast", () => this.nudge(0, 1.1)],
      [["+", "="], "zoom in", () => this.viewer.zoom(1.25)], [["-"], "zoom out", () => this.viewer.zoom(1 / 1.25)],
      [["0"], "fit", () => this.viewer.fit()],
      [["h", "j", "k", "l"], "pan", (key) => this.viewer.pan({ h: 60, l: -60 }[key] ?? 0, { k: 60, j: -60 }[key] ?? 0)],
      [["o"], "hide or show the boxes", () => this.hide()], [["c"], "hide or show candidates below the threshold", () => this.showCandidates()],
      [["N"], "next study that is not accepted", () => this.nextStudy()], [["q"], "all studies", () => { location.hash = "#/"; }],
    ];
  }

  shown() {
    if (this.slice) this.go(0);
    this.refresh();
  }

  close() {
    this.closed = true;
    this.study.close();
    this.viewer.close();
  }

  async go(index, keepView = true) {
    this.at = Math.min(Math.max(index, 0), this.study.slices.length - 1);
    const { slice } = this, mine = (this.turn = {});
    this.seen.add(this.at);
    this.chosen = this.study.vertebrae(slice).some((one) => one.id === this.chosen && one.state) ? this.chosen : null;
    if (this.viewer.adding) this.toggleAdding();
    this.refresh();
    const slow = setTimeout(() => this.over("Loading"), 150);
    try {
      const picture = await this.pictures.get(slice);
      if (mine !== this.turn || this.closed) return;
      const other = this.picture?.width !== picture?.width || this.picture?.height !== picture?.height;
      this.picture = picture;
      this.over(picture ? "" : "There is no picture of this slice");
      if (picture?.pixels && (this.level.value === "" || this.bits !== picture.bits)) {
        this.setWindow(...firstWindow(picture, slice.hu_offset));
        this.bits = picture.bits;
      }
      this.viewer.show(picture, keepView && !other);
      for (const one of [this.at + 1, this.at - 1]) {
        if (this.study.slices[one]) this.pictures.get(this.study.slices[one]).catch(() => {});
      }
      this.refresh();
    } catch (problem) {
      if (mine !== this.turn) return;
      this.picture = null;
      this.viewer.show(null);
      this.over(problem.message);
    } finally {
      clearTimeout(slow);
    }
  }

  over(text) {
    this.wait.textContent = text;
    this.wait.hidden = !text;
  }

  step(by) {
    const next = this.at + by;
    if (this.study.slices[next]) this.go(next);
    else say(by > 0 ? "This is the last slice" : "This is the first slice");
  }

  refresh() {
    if (this.closed) return;
    const { study, slice } = this, { edits, problem } = study.outbox;
    this.showSaved(edits.length, problem);
    if (!slice) return;
    this.slider.value = this.at + 1;
    this.slider.setAttribute("aria-valuetext", `${this.at + 1} of ${study.slices.length}, ${slice.source}`);
    this.count.textContent = `${this.at + 1} of ${study.slices.length}`;
    study.slices.forEach((one, i) => {
      this.ticks.children[i].className = `${one.alert}${study.acceptance(one).accepted ? " accepted" : ""}${i === this.at ? " here" : ""}`;
    });
    this.undos.disabled = !study.done.length;
    this.redos.disabled = !study.undone.length;
    const focus = document.activeElement?.dataset.key, scroll = this.side.scrollTop;
    this.side.replaceChildren(...panel(study, slice, this.chosen, {
      select: (id) => this.select(id), toggle: (label) => this.toggle(label), remove: () => this.remove(), restore: (one) => this.restore(one),
      accept: () => this.accept(), reopen: () => this.reopen() }, (canvas, square) => this.patch(canvas, square)).filter(Boolean));
    this.side.scrollTop = scroll;
    const same = focus && this.side.querySelector(`[data-key="${CSS.escape(focus)}"]`);
    if (same) same.focus({ preventScroll: true });
    else if (focus && document.activeElement === document.body) this.stage.focus({ preventScroll: true });
    this.drawBoxes();
  }

  drawBoxes() {
    const { study, slice } = this;
    const boxes = slice.picture ? study.vertebrae(slice).filter((one) => one.state).map((one) => ({ id: one.id, box: one.state.box,
      text: `${one.name} ${labelText(one.state.labels)}${one.entry || one.pending ? " \u270e" : ""}`, colour: colour(leading(one.state.labels)),
      dashed: needsLabels(one.state.labels), thin: leading(one.state.labels) === "normal" })) : [];
    if (this.candidates && slice.picture) {
      for (const [i, one] of slice.candidates.entries()) {
        if (one.score < study.report.thresholds.score) boxes.push({ id: `candidate ${i}`, fixed: true, box: one.box, colour: "#fff",
          text: `candidate ${one.score.toFixed(2)}`, dashed: true, thin: true });
      }
    }
    this.viewer.setBoxes(boxes, this.chosen);
  }

  patch(canvas, [x, y, side]) {
    const context = canvas.getContext("2d");
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (this.picture?.pixels) context.drawImage(this.viewer.pixels, x - side / 2, y - side / 2, side, side, 0, 0, canvas.width, canvas.height);
  }

  readout(x, y, value) {
    const offset = this.slice?.hu_offset;
    this.reads.value = x === null || value === undefined ? "" : offset !== undefined ? `x ${x}, y ${y}: ${value - offset} HU` : `x ${x}, y ${y}: ${value}`;
  }

  setWindow(level, width) {
    const offset = this.slice.hu_offset ?? 0;
    this.viewer.setWindow(level, width);
    this.level.value = Math.round(level - offset);
    this.width.value = Math.round(this.viewer.width);
    this.unit.textContent = this.slice.hu_offset === undefined ? "grey" : "HU";
    clearTimeout(this.patches);
    this.patches = setTimeout(() => this.refresh(), 120);
  }

  typedWindow() {
    const level = Number(this.level.value), width = Number(this.width.value);
    if (this.picture?.pixels && width >= 1) this.setWindow(level + (this.slice.hu_offset ?? 0), width);
  }

  nudge(level, width) {
    if (this.picture?.pixels) this.setWindow(this.viewer.level + level * this.viewer.width, this.viewer.width * width);
  }

  preset() {
    if (!this.picture?.pixels) return;
    const offset = this.slice.hu_offset, all = offset === undefined ? [] : Object.entries(PRESETS);
    this.preseted = ((this.preseted ?? 0) + 1) % Math.max(all.length, 1);
    const [name, [level, width]] = all[this.preseted] ?? ["whole range", firstWindow(this.picture)];
    this.setWindow(level + (offset ?? 0), width);
    say(`Window: ${name}`);
  }

  select(id) {
    this.chosen = id;
    const one = id && this.study.vertebrae(this.slice).find((other) => other.id === id);
    if (one?.state) {
      if (this.slice.picture) this.viewer.reveal(one.state.box);
      say(`Vertebra ${one.name}: ${labelText(one.state.labels)}`);
    }
    this.refresh();
    this.side.querySelector('[aria-expanded="true"]')?.scrollIntoView({ block: "nearest" });
  }

  cycle(by) {
    const all = this.study.vertebrae(this.slice).filter((one) => one.state), at = all.findIndex((one) => one.id === this.chosen);
    if (all.length) this.select(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length].id);
  }

  get chosenState() {
    return this.chosen && this.study.state(this.slice, this.chosen);
  }

  // Changes box or labels of a vertebra; what is the same already is no edit.
  put(id, change) {
    const state = this.study.state(this.slice, id);
    if (!state || !this.slice.picture) return;
    const next = { ...state, ...change };
    if (String(next.box) === String(state.box) && String(next.labels) === String(state.labels)) return;
    if (this.study.acceptance(this.slice).accepted) say("The slice has changed: accept it again");
    this.study.change(this.slice, id, next);
  }

  arrow(key, pixels, sides = [true, true, true, true]) {
    const state = this.chosenState, name = key.split("+").at(-1);
    if (!state) return name === "ArrowUp" ? this.step(-1) : name === "ArrowDown" ? this.step(1) : undefined;
    const dx = { ArrowLeft: -pixels, ArrowRight: pixels }[name] ?? 0, dy = { ArrowUp: -pixels, ArrowDown: pixels }[name] ?? 0;
    this.put(this.chosen, { box: moved(state.box, sides, dx, dy, this.slice) });
  }

  toggle(label) {
    const state = this.chosenState;
    if (!state) return say("Choose a vertebra first: n, or click");
    const labels = toggled(state.labels, label), order = this.study.report.model.class_names;
    this.put(this.chosen, { labels: labels.sort((a, b) => order.indexOf(a) - order.indexOf(b)) });
    say(labelText(labels));
  }

  toggleAdding() {
    if (!this.slice?.picture) return;
    this.viewer.adding = !this.viewer.adding;
    this.adds.setAttribute("aria-pressed", String(this.viewer.adding));
    if (this.viewer.adding) say("Draw the box, or press Enter for one in the middle");
  }

  add(box) {
    if (this.viewer.adding) this.toggleAdding();
    const id = this.study.add(this.slice, box);
    this.select(id);
    say("Added. It needs its labels: keys 1 to 6");
  }

  addInTheMiddle() {
    const [x, y] = this.viewer.toSlice({ x: this.stage.clientWidth / 2, y: this.stage.clientHeight / 2 }), half = NEW_SIDE / 2;
    this.add(moved([0, 0, Math.min(NEW_SIDE, this.slice.width), Math.min(NEW_SIDE, this.slice.height)], [true, true, true, true], x - half, y - half, this.slice));
  }

  remove() {
    if (!this.chosenState) return say("Choose a vertebra first: n, or click");
    this.study.change(this.slice, this.chosen, null);
    this.chosen = null;
    this.refresh();
    say("Removed. z brings it back");
  }

  // What the model found, or the last state of one that was added.
  restore(one) {
    const last = this.study.done.findLast((step) => step.slice === this.slice && step.id === one.id && step.before)?.before;
    const state = one.found ?? last;
    if (!state) return say("It was added and removed by somebody else; add a new one");
    this.study.change(this.slice, one.id, { box: state.box, labels: state.labels });
  }

  undo(again) {
    const step = again ? this.study.redo() : this.study.undo();
    if (!step) return say(again ? "Nothing to redo" : "Nothing to undo");
    const index = this.study.slices.indexOf(step.slice);
    if (index !== this.at) this.go(index);
    this.chosen = step.id && this.study.state(step.slice, step.id) ? step.id : null;
    this.refresh();
    say(again ? "Done again" : "Undone");
  }

  missing(slice) {
    return this.study.vertebrae(slice).find((one) => one.state && needsLabels(one.state.labels));
  }

  open() {
    return this.study.slices.filter((one) => one.picture && !this.study.acceptance(one).accepted);
  }

  accept() {
    const { slice } = this, missing = this.missing(slice);
    if (!slice?.picture) return say("This slice can only be looked at");
    if (!this.picture) return say("The picture is not there yet");
    if (this.study.acceptance(slice).accepted) return this.nextOpen();
    if (missing) {
      this.select(missing.id);
      return say(`Vertebra ${missing.name} needs its labels first: a disease or more, or normal alone`);
    }
    this.study.accept(slice, true);
    this.nextOpen();
  }

  nextOpen() {
    const open = this.open(), after = open.find((one) => this.study.slices.indexOf(one) > this.at) ?? open[0];
    if (!after) return say("Every slice is accepted. N: next study");
    this.go(this.study.slices.indexOf(after));
    say(`${open.length} ${open.length > 1 ? "slices are" : "slice is"} not accepted yet`);
  }

  reopen() {
    if (this.study.acceptance(this.slice).accepted) this.study.accept(this.slice, false);
  }

  async acceptAll() {
    const open = this.open(), bad = open.find((one) => this.missing(one));
    if (!open.length) return say("Every slice is accepted. N: next study");
    if (bad) {
      await this.go(this.study.slices.indexOf(bad));
      return this.accept();
    }
    const unseen = open.filter((one) => !this.seen.has(this.study.slices.indexOf(one))).length;
    const sure = await choose("Accept all slices?", el("p", {}, `${open.length} slices are not accepted, `,
      el("strong", {}, `${unseen} of them were not shown to you`), " since you opened this page. What you accept becomes truth for training."),
    [["Accept all", true], ["Cancel", false]]);
    if (sure) for (const one of open) this.study.accept(one, true);
  }

  async nextStudy() {
    try {
      const next = await nextStudy(this.job, this.number);
      if (next) location.hash = next;
      else say("Every other study is accepted");
    } catch (problem) {
      say(`The list cannot be read: ${problem.message}`);
    }
  }

  async export() {
    try {
      await download(`jobs/${this.job}/corrections?study=${this.number}`, `corrections-${this.job}-${this.number}.json`);
    } catch (problem) {
      say(`No export: ${problem.message}`);
    }
  }

  hide() {
    this.viewer.overlay = !this.viewer.overlay;
    this.viewer.draw();
    say(this.viewer.overlay ? "Boxes shown" : "Boxes hidden");
  }

  showCandidates() {
    this.candidates = !this.candidates;
    this.drawBoxes();
    say(this.candidates ? "Candidates below the threshold shown" : "Candidates hidden");
  }

  // True: the own edit goes over what the other one did.
  async resolve(edit, current) {
    const index = this.study.slices.findIndex((one) => one.source === edit.slice);
    if (this.closed || index < 0) return false;
    if (index !== this.at || !this.picture) await this.go(index);
    if (edit.kind === "vertebra") this.chosen = edit.vertebra;
    const last = this.study.state(this.slice, edit.vertebra);
    return conflictDialog(edit, current, last, (canvas, square) => this.patch(canvas, square));
  }
}

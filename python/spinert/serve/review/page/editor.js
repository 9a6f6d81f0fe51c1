// editor.js - the page of one study: viewer, panel, keys, and what they mean for the study.
import { getJson } from "./api.js";
import { choose } from "./dialogs.js";
import { $, alarm, button, el, say, when } from "./dom.js";
import { colour, labelText, needsLabels, toggled } from "./labels.js";
import { nextStudy } from "./list.js";
import { panel } from "./panel.js";
import { Pictures, windows } from "./pictures.js";
import { Study } from "./study.js";
import { Viewer, moved } from "./viewer.js";

const NEW_SIDE = 60;  // pixels of a box that the keyboard adds
const ALL = [true, true, true, true], LOWER = [false, false, true, true], UPPER = [true, true, false, false];  // sides of a box
const arrows = (with_) => ["Up", "Down", "Left", "Right"].map((one) => `${with_}Arrow${one}`);

export async function openEditor(job, number, who, showSaved) {
  const editor = new Editor(job, number, who, showSaved);
  await editor.load();
  return editor;
}

class Editor {
  constructor(job, number, who, showSaved) {
    Object.assign(this, { job, number, showSaved, at: 0, chosen: null, seen: new Set() });
    this.study = new Study(job, number, who, { changed: () => this.refresh(), said: say, refused: alarm,
      conflict: (edit, current) => this.conflict(edit, current) });
    this.pictures = new Pictures((name) => `jobs/${job}/files/${encodeURIComponent(name)}?study=${number}`);
  }

  async load() {
    const [about] = await Promise.all([getJson(`jobs/${this.job}`), this.study.load()]), { report, slices } = this.study;
    this.title = about.files[0]?.client_name || this.job;
    $("notice").textContent = report.model.notice ?? "";
    this.stage = this.focus = el("div.stage", { tabindex: 0, role: "application", "aria-label": "Slice. Press ? for the keys", "aria-describedby": "readout" });
    this.viewer = new Viewer(this.stage, { box: (id, box) => this.put(id, { box }), select: (id) => this.select(id), add: (box) => this.add(box),
      step: (by) => this.step(by), window: (...given) => this.setWindow(...given), cursor: (...given) => this.read(...given) });
    this.stage.append(this.over = el("p.over"));
    this.slider = el("input", { type: "range", min: 1, max: slices.length, "aria-label": "Slice", oninput: () => this.go(this.slider.value - 1) });
    this.ticks = el("div.ticks", { "aria-hidden": "true" }, slices.map(() => el("i")));
    this.count = el("span");
    this.reads = el("output", { id: "readout" });
    this.shows = el("output", { "aria-label": "Window" });
    this.adds = button("Add box", "b", () => this.toggleAdding());
    this.undos = button("Undo", "z", () => this.undo(false));
    this.redos = button("Redo", "y", () => this.undo(true));
    this.side = el("aside", { "aria-label": "This slice" });
    this.makeKeys(report.model.class_names);
    this.root = el("div.study", el("div.bar", el("h1", this.title), el(`span.pill.${report.alert}`, report.alert),
      report.status !== "completed" && el("span.pill.failed", report.status), el("span.gap"), this.adds, this.undos, this.redos,
      button("Accept all", "A", () => this.acceptAll()), button("Next study", "N", () => this.nextStudy())),
    slices.length ? el("div.work", el("div.left", this.stage,
      el("div.bar", button("\u25b2", ",", () => this.step(-1), { "aria-label": "Slice before" }), el("div.gap", this.slider, this.ticks),
        button("\u25bc", ".", () => this.step(1), { "aria-label": "Next slice" }), this.count),
      el("div.bar", this.reads, el("span.gap"), this.shows, button("Window", "w", () => this.preset()),
        button("\u2212", "-", () => this.viewer.zoom(0.8), { "aria-label": "Zoom out" }),
        button("+", "+", () => this.viewer.zoom(1.25), { "aria-label": "Zoom in" }), button("Fit", "0", () => this.viewer.fit()))), this.side)
      : el("p.banner.warn", "NOT diagnosed: the report holds no slice. Nothing may be concluded from this page."));
  }

  makeKeys(labels) {
    this.keys = [
      [[",", "PageUp"], "slice before; arrow up does it, too, if no box is chosen", () => this.step(-1)],
      [[".", "PageDown"], "next slice; arrow down likewise", () => this.step(1)],
      [["g"], "next slice that is not accepted", () => this.nextOpen()],
      [["n"], "choose the next vertebra", () => this.cycle(1)], [["p"], "choose the vertebra before", () => this.cycle(-1)],
      [["Escape"], "choose none; stop adding", () => (this.viewer.adding ? this.toggleAdding() : this.select(null))],
      [arrows(""), "move the chosen box by a pixel", (key) => this.arrow(key, 1, ALL)],
      [arrows("Ctrl+"), "move it by 10 pixels", (key) => this.arrow(key, 10, ALL)],
      [arrows("Shift+"), "move its right or lower side", (key) => this.arrow(key, 1, LOWER)],
      [arrows("Ctrl+Shift+"), "move its left or upper side", (key) => this.arrow(key, 1, UPPER)],
      [labels.map((_, i) => String(i + 1)), `labels of the chosen box: ${labels.join(", ")}`, (key) => this.toggle(labels[key - 1])],
      [["b"], "add a box: draw it, or press Enter for one in the middle", () => this.toggleAdding()],
      [["Enter"], "while adding: a box in the middle", () => this.viewer.adding && this.addInTheMiddle()],
      [["Delete", "Backspace", "x"], "remove the chosen box", () => this.remove()],
      [["z", "Ctrl+z"], "undo", () => this.undo(false)], [["y", "Ctrl+y", "Ctrl+Z"], "redo", () => this.undo(true)],
      [["a"], "accept the slice, go to the next open one", () => this.accept()], [["r"], "reopen the slice", () => this.reopen()],
      [["A"], "accept all slices", () => this.acceptAll()],
      [["w"], "next window", () => this.preset()], [["["], "darker", () => this.nudge(0.05, 1)], [["]"], "brighter", () => this.nudge(-0.05, 1)],
      [["{"], "more contrast", () => this.nudge(0, 1 / 1.1)], [["}"], "less contrast", () => this.nudge(0, 1.1)],
      [["+", "="], "zoom in", () => this.viewer.zoom(1.25)], [["-"], "zoom out", () => this.viewer.zoom(0.8)], [["0"], "fit", () => this.viewer.fit()],
      [["h", "j", "k", "l"], "pan", (key) => this.viewer.pan({ h: 60, l: -60 }[key] ?? 0, { k: 60, j: -60 }[key] ?? 0)],
      [["o"], "hide or show the boxes", () => this.hide()],
      [["N"], "next study that is not accepted", () => this.nextStudy()], [["q"], "all studies", () => { location.hash = "#/"; }]];
  }

  get slice() {
    return this.study.slices[this.at];
  }

  shown() {
    this.study.outbox.run();  // what an earlier visit could not send
    this.go(0);
  }

  close() {
    this.closed = true;
    this.study.close();
  }

  async go(index) {
    if (!this.study.slices[index]) return;
    const mine = this.turn = {};
    this.at = index;
    const { slice } = this;
    this.seen.add(slice);
    if (!this.state) this.chosen = null;
    if (this.viewer.adding) this.toggleAdding();
    this.picture = null;
    this.over.textContent = "Loading";
    this.refresh();
    try {
      const picture = await this.pictures.get(slice);
      if (mine !== this.turn || this.closed) return;
      this.picture = picture;
      this.over.textContent = picture ? "" : "There is no picture of this slice";
      if (picture?.pixels && !this.viewer.width) this.preset(0);
      this.viewer.show(picture);
      for (const one of [index + 1, index - 1]) if (this.study.slices[one]) this.pictures.get(this.study.slices[one]).catch(() => {});
    } catch (problem) {
      if (mine !== this.turn) return;
      this.viewer.show(null);
      this.over.textContent = problem.message;
    }
    this.refresh();
  }

  step(by) {
    if (this.study.slices[this.at + by]) this.go(this.at + by);
    else say(by > 0 ? "This is the last slice" : "This is the first slice");
  }

  refresh() {
    const { study, slice } = this;
    if (this.closed || !slice) return;
    this.showSaved(study.outbox.edits.length, study.outbox.problem);
    this.count.textContent = `${this.at + 1} of ${study.slices.length}`;
    this.slider.value = this.at + 1;
    this.slider.setAttribute("aria-valuetext", `${this.count.textContent}, ${slice.source}`);
    study.slices.forEach((one, i) => {
      this.ticks.children[i].className = `${one.alert} ${study.accepted(one) ? "accepted" : ""} ${i === this.at ? "here" : ""}`;
    });
    this.undos.disabled = !study.done.length;
    this.redos.disabled = !study.undone.length;
    const focus = document.activeElement?.dataset.key, within = this.side.contains(document.activeElement), scroll = this.side.scrollTop;
    this.side.replaceChildren(...panel(study, slice, this.chosen, this.act ??= {
      select: (id) => this.select(id), toggle: (label) => this.toggle(label), remove: () => this.remove(), accept: () => this.accept(),
      reopen: () => this.reopen(), patch: (...given) => this.patch(...given),
      restore: ({ id, found }) => study.change(this.slice, id, { box: found.box, labels: found.labels }) }));
    this.side.scrollTop = scroll;
    if (within) (this.side.querySelector(`[data-key="${CSS.escape(focus ?? "")}"]`) ?? this.stage).focus({ preventScroll: true });
    this.viewer.setBoxes(slice.picture ? study.vertebrae(slice).filter((one) => one.state).map(({ id, name, state, entry, pending }) => ({
      id, box: state.box, colour: colour(state.labels), dashed: needsLabels(state.labels), thin: state.labels[0] === "normal",
      text: `${name} ${labelText(state.labels)}${entry || pending ? " \u270e" : ""}` })) : [], this.chosen);
  }

  // A square of the picture as it is shown: centre and side.
  patch(canvas, [x, y, side]) {
    if (this.picture?.pixels) canvas.getContext("2d").drawImage(this.viewer.pixels, x - side / 2, y - side / 2, side, side, 0, 0, canvas.width, canvas.height);
  }

  read(x, y, value) {
    const offset = this.slice.hu_offset;
    this.reads.value = value === undefined ? "" : `x ${x}, y ${y}: ${offset === undefined ? value : `${value - offset} HU`}`;
  }

  setWindow(level, width) {
    const offset = this.slice.hu_offset;
    this.viewer.setWindow(level, width);
    this.shows.value = `Level ${Math.round(level - (offset ?? 0))}, width ${Math.round(this.viewer.width)}${offset === undefined ? "" : " HU"}`;
    clearTimeout(this.repaints);
    this.repaints = setTimeout(() => this.refresh(), 150);  // the patches
  }

  nudge(level, width) {
    if (this.picture?.pixels) this.setWindow(this.viewer.level + level * this.viewer.width, this.viewer.width * width);
  }

  preset(index = this.window + 1) {
    if (!this.picture?.pixels) return;
    const all = windows(this.picture, this.slice.hu_offset), [name, level, width] = all[index % all.length];
    this.window = index;
    this.setWindow(level, width);
    if (index) say(`Window: ${name}`);
  }

  // Of the chosen vertebra.
  get state() {
    return this.chosen && this.study.state(this.slice, this.chosen);
  }

  select(id) {
    this.chosen = id;
    const one = this.study.vertebrae(this.slice).find((other) => other.id === id);
    if (one?.state) {
      if (this.picture) this.viewer.reveal(one.state.box);
      say(`Vertebra ${one.name}: ${labelText(one.state.labels)}`);
    }
    this.refresh();
    this.side.querySelector('[aria-expanded="true"]')?.scrollIntoView({ block: "nearest" });
  }

  cycle(by) {
    const all = this.study.vertebrae(this.slice).filter((one) => one.state), at = all.findIndex((one) => one.id === this.chosen);
    if (all.length) this.select(all[at < 0 && by < 0 ? all.length - 1 : (at + by + all.length) % all.length].id);
  }

  // Changes box or labels of a vertebra; what is the same already is no edit.
  put(id, change) {
    const state = this.study.state(this.slice, id), next = { ...state, ...change };
    if (!state || !this.slice.picture || JSON.stringify(next) === JSON.stringify(state)) return;
    if (this.study.accepted(this.slice)) say("The slice has changed: accept it again");
    this.study.change(this.slice, id, next);
  }

  arrow(key, pixels, sides) {
    const name = key.split("+").at(-1), by = { ArrowUp: [0, -pixels], ArrowDown: [0, pixels], ArrowLeft: [-pixels, 0], ArrowRight: [pixels, 0] }[name];
    if (this.state) this.put(this.chosen, { box: moved(this.state.box, sides, ...by, this.slice) });
    else if (by[1]) this.step(Math.sign(by[1]));
  }

  toggle(label) {
    if (!this.state) return say("Choose a vertebra first: n, or click");
    const labels = toggled(this.state.labels, label, this.study.report.model.class_names);
    this.put(this.chosen, { labels });
    say(labelText(labels));
  }

  toggleAdding() {
    if (!this.slice?.picture) return;
    this.viewer.adding = !this.viewer.adding;
    this.adds.setAttribute("aria-pressed", String(this.viewer.adding));
    if (this.viewer.adding) say("Draw the box, or press Enter for one in the middle");
  }

  add(box) {
    this.toggleAdding();
    this.select(this.study.add(this.slice, box));
    say("Added. It needs labels: keys 1 to 6");
  }

  addInTheMiddle() {
    const [x, y] = this.viewer.toSlice({ x: this.stage.clientWidth / 2, y: this.stage.clientHeight / 2 });
    this.add(moved([0, 0, NEW_SIDE, NEW_SIDE], ALL, x - NEW_SIDE / 2, y - NEW_SIDE / 2, this.slice));
  }

  remove() {
    if (!this.state || !this.slice.picture) return say("Choose a vertebra first: n, or click");
    this.study.change(this.slice, this.chosen, null);
    this.chosen = null;
    this.refresh();
    say("Removed. z brings it back");
  }

  undo(again) {
    const step = this.study.undo(again);
    if (!step) return say("There is nothing to take back or do again");
    this.chosen = step.id ?? null;
    this.go(this.study.slices.indexOf(step.slice));
    say(again ? "Done again" : "Taken back");
  }

  missing(slice) {
    return this.study.vertebrae(slice).find((one) => one.state && needsLabels(one.state.labels));
  }

  get open() {
    return this.study.slices.filter((one) => one.picture && !this.study.accepted(one));
  }

  accept() {
    const { slice } = this, missing = this.missing(slice);
    // Nobody accepts what was not on the screen.
    if (!slice.picture || !this.picture) return say("This slice is not shown, so it cannot be accepted");
    if (missing) {
      this.select(missing.id);
      return say(`Vertebra ${missing.name} needs labels first: diseases, or normal alone`);
    }
    if (!this.study.accepted(slice)) this.study.accept(slice, true);
    this.nextOpen();
  }

  reopen() {
    if (this.study.accepted(this.slice)) this.study.accept(this.slice, false);
  }

  nextOpen() {
    const { open } = this, next = open.find((one) => this.study.slices.indexOf(one) > this.at) ?? open[0];
    if (!next) return say("Every slice is accepted. N: next study");
    this.go(this.study.slices.indexOf(next));
    say(`${open.length} not accepted yet`);
  }

  async acceptAll() {
    const { open } = this, bad = open.find((one) => this.missing(one));
    if (!open.length) return this.nextOpen();
    if (bad) {
      await this.go(this.study.slices.indexOf(bad));
      return this.accept();
    }
    const unseen = open.filter((one) => !this.seen.has(one)).length;
    if (await choose("Accept all slices?", el("p", `${open.length} slices are not accepted. `, el("strong", `${unseen} of them were not shown to you`),
      " since you opened this study. What you accept becomes truth for training."), [["Accept all", true], ["Cancel", false]])) {
      for (const one of open) this.study.accept(one, true);
    }
  }

  async nextStudy() {
    const next = await nextStudy(this.job, this.number).catch((problem) => say(problem.message));
    if (next) location.hash = next;
    else if (next === null) say("Every other study is accepted");
  }

  hide() {
    this.viewer.hidden = !this.viewer.hidden;
    this.viewer.draw();
    say(this.viewer.hidden ? "Boxes hidden" : "Boxes shown");
  }

  // Two reviewers have changed the same thing. True: the own edit goes over what the other one did.
  async conflict(edit, { who, when: time, state }) {
    if (this.closed) return false;
    await this.go(this.study.slices.findIndex((one) => one.source === edit.slice));
    const by = `${who} changed ${edit.vertebra ? `vertebra ${edit.vertebra}` : "something"} on ${edit.slice} (${when(time)})`;
    if (!edit.vertebra) return choose("The slice has changed", el("p", `${by} before you accepted it. It was not accepted: look again.`), [["Look again", false]]);
    const mine = this.study.state(this.slice, edit.vertebra), boxes = [mine, state].filter(Boolean).map(({ box }) => box);
    const ends = [0, 1, 2, 3].map((i) => Math[i < 2 ? "min" : "max"](...boxes.map((box) => box[i])));
    const side = 1.4 * Math.max(ends[2] - ends[0], ends[3] - ends[1]), square = [(ends[0] + ends[2]) / 2, (ends[1] + ends[3]) / 2, side];
    const version = (name, one) => {
      const canvas = el("canvas", { width: 200, height: 200, "aria-hidden": "true" }), context = canvas.getContext("2d");
      this.patch(canvas, square);
      if (one) {
        const [x1, y1, x2, y2] = one.box.map((value, i) => (value - square[i % 2] + side / 2) * 200 / side);
        Object.assign(context, { strokeStyle: colour(one.labels), lineWidth: 3 });
        context.strokeRect(x1, y1, x2 - x1, y2 - y1);
      }
      return el("section", el("h3", name), canvas, el("p", one ? `${labelText(one.labels)}; x ${one.box[0].toFixed(1)} to ${one.box[2].toFixed(1)}, ` +
        `y ${one.box[1].toFixed(1)} to ${one.box[3].toFixed(1)}` : "removed"));
    };
    return choose("Two corrections of one vertebra", el("div", el("p", `${by} while you did. Which one holds?`),
      el("div.versions", version("Yours", mine), version(`By ${who}`, state))), [["Keep mine", true], [`Take that of ${who}`, false]]);
  }
}

// editor.js - the page of one study: viewer, panel, keys, and what they mean for the study.
import { getJson } from "./api.js";
import { $, alarm, button, choose, el, say, when } from "./dom.js";
import { colour, labelText, needsLabels, toggled } from "./labels.js";
import { nextStudy } from "./list.js";
import { panel } from "./panel.js";
import { Pictures, windows } from "./pictures.js";
import { Study } from "./study.js";
import { ALL, Viewer, moved } from "./viewer.js";

const NEW_SIDE = 60, CROP = 200;  // pixels: of a box that the keyboard adds; of a drawn crop
const LOWER = [false, false, true, true], UPPER = [true, true, false, false];  // sides of a box
const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

export class Editor {
  constructor(job, number, who, showSaved) {
    Object.assign(this, { job, number, showSaved, at: 0, chosen: null, keys: [] });
    this.study = new Study(job, number, who, { changed: () => this.refresh(), said: say, refused: alarm,
      conflict: (edit, current) => this.conflict(edit, current) });
    this.pictures = new Pictures((name) => `jobs/${job}/files/${encodeURIComponent(name)}?study=${number}`);
  }

  async load() {
    const [about] = await Promise.all([getJson(`jobs/${this.job}`), this.study.load()]), { report, slices } = this.study;
    const made = about.studies[this.number - 1];
    this.title = made.kind === "dicom" ? `Study ${made.name}` : about.files[0]?.client_name || this.job;
    $("notice").textContent = report.model.notice ?? "";
    this.stage = this.focus = el("div.stage", { tabindex: 0, role: "application", "aria-label": "Slice. Press ? for the keys" });
    this.viewer = new Viewer(this.stage, { box: (id, box) => this.put(id, { box }), select: (id) => this.select(id), add: (box) => this.add(box),
      step: (by) => this.step(by), window: (...given) => this.setWindow(...given), cursor: (...given) => this.read(...given) });
    this.stage.append(this.over = el("p.over"));
    this.slider = el("input.gap", { type: "range", min: 1, max: slices.length, "aria-label": "Slice", oninput: () => this.go(this.slider.value - 1) });
    [this.count, this.side] = [el("span"), el("aside", { "aria-label": "This slice" })];
    // A button that is replaced while it is pressed would never be clicked.
    this.side.addEventListener("pointerdown", () => {
      this.pressed = true;
      for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => this.refresh(this.pressed = false)), { once: true });
    });
    [this.reads, this.shows] = ["Pixel", "Window"].map((name) => el("output", { "aria-label": name }));
    this.adds = button("Add box", "b", () => this.toggleAdding());
    [this.undos, this.redos] = [button("Undo", "z", () => this.undo(false)), button("Redo", "y", () => this.undo(true))];
    this.makeKeys(report.model.class_names);
    const icon = (sign, name, key, run) => button(sign, key, run, { "aria-label": name });
    this.root = el("div.study", el("div.bar", el("h1", this.title), el(`span.pill.${report.alert}`, report.alert),
      report.status !== "completed" && el("span.pill.failed", report.status), el("span.gap"), this.adds, this.undos, this.redos,
      button("Next study", "N", () => this.nextStudy())),
    slices.length ? el("div.work", el("div.left", this.stage,
      el("div.bar", icon("\u25b2", "Slice before", ",", () => this.step(-1)), this.slider, icon("\u25bc", "Next slice", ".", () => this.step(1)), this.count),
      el("div.bar", this.reads, el("span.gap"), this.shows, button("Window", "w", () => this.preset()),
        icon("\u2212", "Zoom out", "-", () => this.viewer.zoom(0.8)), icon("+", "Zoom in", "+", () => this.viewer.zoom(1.25)),
        button("Fit", "0", () => this.viewer.fit()))), this.side)
      : el("p.banner.warn", "NOT diagnosed: the report holds no slice. Nothing may be concluded from this page."));
  }

  makeKeys(labels) {
    const move = (more, pixels, sides, text) => [Object.keys(STEPS).map((one) => more + one), text, (key) => this.arrow(key, pixels, sides)];
    this.keys = [
      [[",", "PageUp"], "slice before; arrow up, if no box is chosen", () => this.step(-1)],
      [[".", "PageDown"], "next slice; arrow down likewise", () => this.step(1)],
      [["g"], "next slice that is not accepted", () => this.nextOpen()],
      [["n"], "choose the next vertebra", () => this.cycle(1)], [["p"], "choose the vertebra before", () => this.cycle(-1)],
      [["Escape"], "choose none; stop adding", () => (this.viewer.adding ? this.toggleAdding() : this.select(null))],
      move("", 1, ALL, "move the chosen box by a pixel"), move("Ctrl+", 10, ALL, "move it by 10 pixels"),
      move("Shift+", 1, LOWER, "move its right or lower side"), move("Ctrl+Shift+", 1, UPPER, "move its left or upper side"),
      [labels.map((_, i) => String(i + 1)), `labels of the chosen box: ${labels.join(", ")}`, (key) => this.toggle(labels[key - 1])],
      [["b"], "add a box: draw it, or press Enter for one in the middle", () => this.toggleAdding()],
      [["Enter"], "while adding: a box in the middle", () => this.viewer.adding && this.addInTheMiddle()],
      [["Delete", "Backspace", "x"], "remove the chosen box", () => this.remove()],
      [["z", "Ctrl+z"], "undo", () => this.undo(false)], [["y", "Ctrl+y", "Ctrl+Z"], "redo", () => this.undo(true)],
      [["a"], "accept the slice, go to the next open one", () => this.accept()], [["r"], "reopen the slice", () => this.reopen()],
      [["w"], "next window", () => this.preset()],
      [["[", "]"], "darker, brighter", (key) => this.nudge(key === "[" ? 0.05 : -0.05, 1)],
      [["{", "}"], "more, less contrast", (key) => this.nudge(0, key === "{" ? 0.9 : 1.1)],
      [["+", "="], "zoom in", () => this.viewer.zoom(1.25)], [["-"], "zoom out", () => this.viewer.zoom(0.8)], [["0"], "fit", () => this.viewer.fit()],
      [["h", "j", "k", "l"], "pan", (key) => this.viewer.pan({ h: 60, l: -60 }[key] ?? 0, { k: 60, j: -60 }[key] ?? 0)],
      [["o"], "hide or show the boxes", () => this.viewer.hide()],
      [["N"], "next study that is not accepted", () => this.nextStudy()], [["q"], "all studies", () => { location.hash = "#/"; }]];
  }

  get slice() {
    return this.study.slices[this.at];
  }

  // Of the chosen vertebra.
  get state() {
    return this.chosen && this.study.state(this.slice, this.chosen);
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
    const mine = this.turn = {}, { slices } = this.study;
    if (!slices[index]) return;
    this.at = index;
    if (!this.state) this.chosen = null;
    if (this.viewer.adding) this.toggleAdding();
    this.picture = null;
    this.over.textContent = "Loading";
    this.refresh();
    const picture = await this.pictures.get(this.slice).catch((problem) => problem);
    if (mine !== this.turn || this.closed) return;
    this.picture = picture instanceof Error ? null : picture;
    this.over.textContent = picture instanceof Error ? picture.message : picture ? "" : "There is no picture of this slice";
    if (picture?.pixels && !this.viewer.width) this.preset(0);
    this.viewer.show(this.picture);
    for (const one of [index + 1, index - 1]) if (slices[one]) this.pictures.get(slices[one]).catch(() => {});
    this.refresh();
  }

  step(by) {
    if (this.study.slices[this.at + by]) this.go(this.at + by);
    else say("There is no further slice");
  }

  refresh() {
    const { study, slice } = this;
    if (this.closed || !slice) return;
    this.showSaved(study.outbox.edits.length, study.outbox.problem);
    this.count.textContent = `${this.at + 1} of ${study.slices.length}, ${this.open.length} not accepted`;
    this.slider.value = this.at + 1;
    this.undos.disabled = !study.done.length;
    this.redos.disabled = !study.undone.length;
    const focus = document.activeElement, within = this.side.contains(focus), scroll = this.side.scrollTop;
    if (!this.pressed) this.side.replaceChildren(...panel(study, slice, this.chosen, this));
    this.side.scrollTop = scroll;
    if (within) (this.side.querySelector(`[data-key="${CSS.escape(focus.dataset.key)}"]`) ?? this.stage).focus({ preventScroll: true });
    this.viewer.setBoxes(slice.picture ? study.vertebrae(slice).filter((one) => one.state).map(({ id, name, state, entry, pending }) => ({
      id, box: state.box, colour: colour(state.labels), dashed: needsLabels(state.labels), thin: state.labels[0] === "normal",
      text: `${name} ${labelText(state.labels)}${entry || pending ? " \u270e" : ""}` })) : [], this.chosen);
  }

  // A square of the picture as it is shown: centre and side.
  crop(canvas, [x, y, side]) {
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
    if (all.length) this.select(all.at((at < 0 && by < 0 ? at : at + by) % all.length).id);
  }

  // Changes box or labels of a vertebra; what is the same already is no edit.
  put(id, change) {
    const state = this.study.state(this.slice, id), next = { ...state, ...change };
    if (!state || !this.slice.picture || JSON.stringify(next) === JSON.stringify(state)) return;
    if (this.study.accepted(this.slice)) say("The slice has changed: accept it again");
    this.study.change(this.slice, id, next);
  }

  arrow(key, pixels, sides) {
    const [dx, dy] = STEPS[key.split("+").at(-1)];
    if (this.state) this.put(this.chosen, { box: moved(this.state.box, sides, dx * pixels, dy * pixels, this.slice) });
    else if (dy) this.step(dy);
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
    this.select(null);
    say("Removed. z brings it back");
  }

  restore({ id, found }) {
    this.study.change(this.slice, id, { box: found.box, labels: found.labels });
  }

  undo(again) {
    const step = this.study.undo(again);
    if (!step) return;
    this.chosen = step.id ?? null;
    this.go(this.study.slices.indexOf(step.slice));
    say(again ? "Done again" : "Taken back");
  }

  get open() {
    return this.study.slices.filter((one) => one.picture && !this.study.accepted(one));
  }

  accept() {
    const { slice } = this, missing = this.study.vertebrae(slice).find((one) => one.state && needsLabels(one.state.labels));
    if (!slice.picture || !this.picture) return say("This slice is not shown, so it cannot be accepted");
    if (missing) {
      this.select(missing.id);
      return say(`Vertebra ${missing.name} needs labels first: diseases, or normal alone`);
    }
    if (!this.study.accepted(slice)) this.study.change(slice, undefined, true);
    this.nextOpen();
  }

  reopen() {
    if (this.study.accepted(this.slice)) this.study.change(this.slice, undefined, false);
  }

  nextOpen() {
    const { open } = this, place = (one) => this.study.slices.indexOf(one), next = open.find((one) => place(one) > this.at) ?? open[0];
    if (next) this.go(place(next));
    else say("Every slice is accepted. N: next study");
  }

  async nextStudy() {
    const next = await nextStudy(this.job, this.number).catch((problem) => say(problem.message));
    if (next) location.hash = next;
    else if (next === null) say("Every other study is accepted");
  }

  // Two reviewers have changed the same thing. True: the own edit goes over what the other one did.
  async conflict(edit, { who, when: time, state }) {
    if (this.closed) return false;
    await this.go(this.study.slices.findIndex((one) => one.source === edit.slice));
    const by = `${who} changed ${edit.vertebra ? `vertebra ${edit.vertebra}` : "something"} on ${edit.slice} (${when(time)})`;
    if (!edit.vertebra) return choose("The slice has changed", el("p", `${by} before you accepted it. It was not accepted.`), ["Look again", false]);
    const version = (name, one) => {
      const canvas = el("canvas", { width: CROP, height: CROP, "aria-hidden": "true" }), [x1, y1, x2, y2] = one?.box ?? [0, 0, 0, 0];
      this.crop(canvas, [(x1 + x2) / 2, (y1 + y2) / 2, Math.max(x2 - x1, y2 - y1)]);
      return el("section", el("h3", name), canvas, el("p", one ? `${labelText(one.labels)}; x ${x1.toFixed(1)} to ${x2.toFixed(1)}, y ${y1.toFixed(1)} to ${y2.toFixed(1)}` : "removed"));
    };
    return choose("Two corrections of one vertebra", el("div", el("p", `${by} while you did. Which one holds?`),
      el("div.versions", version("Yours", this.study.state(this.slice, edit.vertebra)), version(`By ${who}`, state))), ["Keep mine", true], [`Take that of ${who}`, false]);
  }
}

// viewer.js - one slice on a canvas: window, zoom, pan, boxes, and what a pointer does to them. It knows pixels and boxes;
// what a change means is for who listens.
import { el } from "./dom.js";

const REACH = { touch: 22, mouse: 8, pen: 12 };  // pixels of the screen about a side of a box
const MOST_ZOOM = 24, LEAST_ZOOM = 0.1, LEAST_SIDE = 4, WHEEL_STEP = 60, DRAG_BEGINS = 3;
export const ALL = [true, true, true, true];  // sides of a box: x1, y1, x2, y2

export class Viewer {
  // `told`: { box(id, box), select(id), add(box), step(by), window(level, width), cursor(x, y, value) }
  constructor(stage, told) {
    Object.assign(this, { stage, told, boxes: [], adding: false, hidden: false, pointers: new Map(), wheel: 0, scale: 1, x: 0, y: 0 });
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.pixels = el("canvas");
    stage.append(this.canvas);
    stage.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    for (const [name, run] of [["down", "onDown"], ["move", "onMove"], ["up", "onUp"], ["cancel", "onUp"]]) {
      this.canvas.addEventListener(`pointer${name}`, (event) => this.slice && this[run](event, this.at(event)));
    }
    new ResizeObserver(() => this.resize()).observe(stage);
  }

  // As of Pictures.get. Boxes lie in pixels of this size.
  show(slice) {
    const other = slice?.width !== this.slice?.width || slice?.height !== this.slice?.height;
    Object.assign(this, { slice, drag: null });
    if (slice && other) {
      Object.assign(this.pixels, { width: slice.width, height: slice.height });
      this.fit();
    }
    this.repaint();
  }

  // In pixel values.
  setWindow(level, width) {
    Object.assign(this, { level, width: Math.max(1, width) });
    this.repaint();
  }

  repaint() {
    const { slice, level, width } = this, context = this.pixels.getContext("2d");
    if (slice?.bitmap) context.drawImage(slice.bitmap, 0, 0);
    if (slice?.pixels) {
      const data = context.createImageData(slice.width, slice.height), grey = new Uint32Array(data.data.buffer);
      const table = Uint32Array.from({ length: 1 << slice.bits }, (_, value) =>
        0xff000000 + 0x10101 * Math.min(255, Math.max(0, Math.round((value - level + width / 2) / width * 255))));
      for (let i = 0; i < grey.length; ++i) grey[i] = table[slice.pixels[i]];
      context.putImageData(data, 0, 0);
    }
    this.draw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.stage;
    Object.assign(this.canvas, { width: clientWidth * devicePixelRatio, height: clientHeight * devicePixelRatio });
    if (this.fitted) this.fit();
    this.draw();
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.stage, { slice } = this;
    if (!slice) return;
    this.scale = Math.min(width / slice.width, height / slice.height) || 1;
    Object.assign(this, { x: (width - slice.width * this.scale) / 2, y: (height - slice.height * this.scale) / 2, fitted: true });
    this.draw();
  }

  // `at`: the point of the stage that stays; default: its middle.
  zoom(factor, at = { x: this.stage.clientWidth / 2, y: this.stage.clientHeight / 2 }) {
    const scale = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, this.scale * factor)), grown = scale / this.scale;
    this.scale = scale;
    this.pan((at.x - this.x) * (1 - grown), (at.y - this.y) * (1 - grown));
  }

  pan(dx, dy) {
    Object.assign(this, { x: this.x + dx, y: this.y + dy, fitted: false });
    this.draw();
  }

  // Brings a box into the stage if it is not.
  reveal(box) {
    const [x1, y1, x2, y2] = this.onStage(box), { clientWidth: width, clientHeight: height } = this.stage;
    if (x1 < 0 || y1 < 0 || x2 > width || y2 > height) this.pan(width / 2 - (x1 + x2) / 2, height / 2 - (y1 + y2) / 2);
  }

  onStage(box) {
    return box.map((one, i) => one * this.scale + (i % 2 ? this.y : this.x));
  }

  toSlice({ x, y }) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  // `boxes`: { id, box, text, colour, dashed, thin }
  setBoxes(boxes, selected) {
    Object.assign(this, { selected, boxes: boxes.toSorted((a, b) => (a.id === selected) - (b.id === selected)) });
    this.draw();
  }

  hide() {
    this.hidden = !this.hidden;
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const { canvas, slice, drag } = this, context = canvas.getContext("2d");
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!slice) return;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.pixels, this.x, this.y, slice.width * this.scale, slice.height * this.scale);
    if (this.hidden) return;
    for (const one of this.boxes) this.paintBox(context, one);
    if (drag?.kind === "add" && drag.box) this.paintBox(context, { box: drag.box, text: "", colour: "#fff", dashed: true });
  }

  paintBox(context, one) {
    const chosen = one.id && one.id === this.selected, moving = one.id && this.drag?.id === one.id && this.drag.box;
    const [x1, y1, x2, y2] = this.onStage(moving || one.box), line = chosen ? 3 : one.thin ? 1 : 2;
    for (const [strokeStyle, lineWidth, dash] of [["#000a", line + 2.5, []], [one.colour, line, one.dashed ? [6, 4] : []]]) {
      Object.assign(context, { strokeStyle, lineWidth }).setLineDash(dash);
      context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
    context.setLineDash([]);
    context.fillStyle = "#fff";
    if (chosen) for (const x of [x1, x2]) for (const y of [y1, y2]) context.fillRect(x - 4, y - 4, 8, 8);
    Object.assign(context, { font: `600 ${chosen ? 15 : 13}px system-ui, sans-serif`, lineWidth: 3.5, strokeStyle: "#000d",
      fillStyle: one.colour, textBaseline: "middle" });
    // Beside the box, where it hides no vertebra.
    const wide = context.measureText(one.text).width, x = x2 + 7 + wide < this.stage.clientWidth ? x2 + 7 : Math.max(2, x1 - 7 - wide);
    context.strokeText(one.text, x, (y1 + y2) / 2);
    context.fillText(one.text, x, (y1 + y2) / 2);
  }

  // What lies there: { id, sides: which of them a drag moves }; undefined: nothing.
  hit(point, kind) {
    if (this.hidden) return undefined;
    const reach = REACH[kind], chosen = this.boxes.find((one) => one.id === this.selected);
    if (chosen) {
      const at = this.onStage(chosen.box), here = [point.x, point.y, point.x, point.y];
      const sides = at.map((side, i) => {
        const near = Math.min(reach, (at[i % 2 + 2] - at[i % 2]) / 3), j = 1 - i % 2;  // j: the other axis
        return Math.abs(side - here[i]) <= near && here[j] > at[j] - reach && here[j] < at[j + 2] + reach;
      });
      if (sides.includes(true)) return { id: chosen.id, sides };
    }
    const [x, y] = this.toSlice(point), area = (one) => (one === chosen ? 0 : (one.box[2] - one.box[0]) * (one.box[3] - one.box[1]));
    const inside = this.boxes.filter(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
    const best = inside.sort((a, b) => area(a) - area(b))[0];
    return best && { id: best.id, sides: ALL };
  }

  at(event) {
    const frame = this.canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  onWheel(event) {
    event.preventDefault();
    if (event.ctrlKey) return this.zoom(Math.exp(-event.deltaY / 300), this.at(event));
    this.wheel += event.deltaY * (event.deltaMode ? WHEEL_STEP : 1);
    if (Math.abs(this.wheel) < WHEEL_STEP) return;
    this.told.step(Math.sign(this.wheel));
    this.wheel = 0;
  }

  onDown(event, start) {
    this.stage.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, start);
    const plain = event.button === 0 && this.pointers.size === 1, hit = plain && !this.adding ? this.hit(start, event.pointerType) : undefined;
    const kind = this.pointers.size > 1 ? "pinch" : event.button === 2 ? "window" : !plain ? "pan" : this.adding ? "add" : hit ? "box" : "empty";
    this.drag = { kind, start, last: start, level: this.level, width: this.width, ...hit, original: hit && this.boxes.find((one) => one.id === hit.id).box };
    if (hit && hit.id !== this.selected) this.told.select(hit.id);
  }

  onMove(event, point) {
    const { drag, slice } = this, [x, y] = this.toSlice(point).map(Math.floor), inside = x >= 0 && y >= 0 && x < slice.width && y < slice.height;
    this.told.cursor(x, y, inside ? slice.pixels?.[y * slice.width + x] : undefined);
    if (!drag) {
      const sides = this.hit(point, event.pointerType)?.sides;
      this.canvas.style.cursor = this.adding ? "crosshair" : !sides ? "grab" : sides === ALL ? "move" : "pointer";
      return;
    }
    if (drag.kind === "pinch") return this.pinch(event.pointerId, point);
    drag.moved ||= Math.hypot(point.x - drag.start.x, point.y - drag.start.y) >= DRAG_BEGINS;
    if (!drag.moved) return;
    const [sx, sy] = this.toSlice(drag.start), [px, py] = this.toSlice(point);
    if (drag.kind === "window") {
      const unit = Math.max(drag.width, 16) / 400;
      this.told.window(drag.level + (point.y - drag.start.y) * unit, drag.width + (point.x - drag.start.x) * unit);
    } else if (drag.kind === "box") drag.box = moved(drag.original, drag.sides, px - sx, py - sy, slice);
    else if (drag.kind === "add") drag.box = clamp([Math.min(sx, px), Math.min(sy, py), Math.max(sx, px), Math.max(sy, py)], slice);
    else this.pan(point.x - drag.last.x, point.y - drag.last.y);
    drag.last = point;
    this.draw();
  }

  onUp(event) {
    const { kind, id, box, moved: far } = this.drag ?? {};
    this.pointers.delete(event.pointerId);
    if (this.pointers.size) return;
    this.drag = null;
    this.draw();
    if (event.type !== "pointerup") return;
    if (kind === "box" && box) this.told.box(id, box);
    if (kind === "add" && box && Math.min(box[2] - box[0], box[3] - box[1]) >= LEAST_SIDE) this.told.add(box);
    if (kind === "empty" && !far) this.told.select(null);
  }

  pinch(id, point) {
    const span = ([a, b]) => Math.max(10, Math.hypot(a.x - b.x, a.y - b.y)), middle = ([a, b]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
    const before = [...this.pointers.values()], after = [...this.pointers.set(id, point).values()], from = middle(before), to = middle(after);
    this.pan(to.x - from.x, to.y - from.y);
    this.zoom(span(after) / span(before), to);
  }
}

const clamp = (box, slice) => box.map((one, i) => Math.min(Math.max(one, 0), i % 2 ? slice.height : slice.width));

// The box with these sides moved; it stays in the slice, keeps its size if all four move, and never gets too small.
export function moved(box, sides, dx, dy, slice) {
  const next = clamp(box, slice);
  for (const [low, high, by, most] of [[0, 2, dx, slice.width], [1, 3, dy, slice.height]]) {
    if (sides[low] && sides[high]) {
      const step = Math.min(Math.max(by, -next[low]), most - next[high]);
      next[low] += step;
      next[high] += step;
    } else if (sides[low]) next[low] = Math.max(0, Math.min(next[low] + by, next[high] - LEAST_SIDE));
    else if (sides[high]) next[high] = Math.min(most, Math.max(next[high] + by, next[low] + LEAST_SIDE));
  }
  return next;
}

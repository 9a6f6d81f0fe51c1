// viewer.js - one slice on a canvas: window, zoom, pan, boxes, and what a pointer does to them. It knows pixels and boxes;
// what a change means is for who listens.

const HANDLE = { mouse: 8, pen: 12, touch: 22 };  // pixels of the screen about a corner or an edge
const MOST_ZOOM = 24, LEAST_SIDE = 4, WHEEL_STEP = 60, DRAG_BEGINS = 3;

export class Viewer {
  // `told`: { box(id, box), select(id or null), add(box), step(count), window(level, width), cursor(x, y, value) }
  constructor(stage, canvas, told) {
    Object.assign(this, { stage, canvas, told, boxes: [], selected: null, adding: false, overlay: true });
    this.context = canvas.getContext("2d");
    this.pixels = document.createElement("canvas");
    this.pointers = new Map();
    this.wheel = 0;
    stage.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.onUp(event));
    canvas.addEventListener("pointerleave", () => this.told.cursor(null));
    this.resizes = new ResizeObserver(() => this.resize());
    this.resizes.observe(stage);
  }

  close() {
    this.resizes.disconnect();
  }

  // `slice`: { width, height, pixels } of numbers, or { width, height, picture } of a drawn picture, or null. `boxes` lie
  // in pixels of this size.
  show(slice, keepView) {
    this.slice = slice;
    this.drag = null;
    if (slice) {
      this.pixels.width = slice.width;
      this.pixels.height = slice.height;
      if (!keepView || !this.scale) this.fit();
    }
    this.repaint();
  }

  setWindow(level, width) {
    this.level = level;
    this.width = Math.max(1, width);
    this.repaint();
  }

  // Level and width are of pixel values.
  repaint() {
    const { slice } = this;
    if (slice?.pixels && this.width) {
      const context = this.pixels.getContext("2d"), data = context.createImageData(slice.width, slice.height);
      const grey = new Uint32Array(data.data.buffer), table = new Uint32Array(slice.bits === 8 ? 256 : 65536);
      const low = this.level - this.width / 2;
      for (let value = 0; value < table.length; ++value) {
        const shade = Math.min(255, Math.max(0, Math.round((value - low) / this.width * 255)));
        table[value] = 0xff000000 | shade << 16 | shade << 8 | shade;
      }
      for (let i = 0; i < grey.length; ++i) grey[i] = table[slice.pixels[i]];
      context.putImageData(data, 0, 0);
    } else if (slice?.picture) {
      this.pixels.getContext("2d").drawImage(slice.picture, 0, 0, slice.width, slice.height);
    }
    this.draw();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.stage, ratio = devicePixelRatio || 1;
    if (!width || !height) return;
    const fitted = this.fitted;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (fitted) this.fit();
    this.draw();
  }

  fit() {
    if (!this.slice) return;
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.scale = Math.min(width / this.slice.width, height / this.slice.height) || 1;
    this.x = (width - this.slice.width * this.scale) / 2;
    this.y = (height - this.slice.height * this.scale) / 2;
    this.fitted = true;
    this.draw();
  }

  // `at`: the point of the stage that stays; default: its middle.
  zoom(factor, at = { x: this.stage.clientWidth / 2, y: this.stage.clientHeight / 2 }) {
    const scale = Math.min(MOST_ZOOM, Math.max(0.1, this.scale * factor)), grown = scale / this.scale;
    this.x = at.x - (at.x - this.x) * grown;
    this.y = at.y - (at.y - this.y) * grown;
    this.scale = scale;
    this.fitted = false;
    this.draw();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.draw();
  }

  // Brings a box into the stage if it is not.
  reveal(box) {
    const [left, top] = this.toStage(box[0], box[1]), [right, bottom] = this.toStage(box[2], box[3]);
    if (left < 0 || top < 0 || right > this.stage.clientWidth || bottom > this.stage.clientHeight) {
      this.pan(this.stage.clientWidth / 2 - (left + right) / 2, this.stage.clientHeight / 2 - (top + bottom) / 2);
    }
  }

  toStage(x, y) {
    return [this.x + x * this.scale, this.y + y * this.scale];
  }

  toSlice(point) {
    return [(point.x - this.x) / this.scale, (point.y - this.y) / this.scale];
  }

  // `boxes`: { id, box, text, colour, dashed, thin }
  setBoxes(boxes, selected) {
    this.boxes = boxes;
    this.selected = selected;
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const { context, canvas, slice } = this, ratio = devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!slice) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.pixels, this.x, this.y, slice.width * this.scale, slice.height * this.scale);
    if (this.overlay) for (const one of this.boxes) if (one.id !== this.selected) this.paintBox(one);
    const chosen = this.boxes.find((one) => one.id === this.selected);
    if (chosen && this.overlay) this.paintBox(chosen, true);
    if (this.drag?.box && this.drag.kind === "add") this.paintBox({ box: this.drag.box, text: "", colour: "#fff", dashed: true });
  }

  paintBox(one, chosen = false) {
    const box = this.drag?.id === one.id && this.drag.box ? this.drag.box : one.box;
    const [x1, y1] = this.toStage(box[0], box[1]), [x2, y2] = this.toStage(box[2], box[3]), { context } = this;
    const stroke = (style, width, dash) => {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.setLineDash(dash);
      context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    };
    const width = chosen ? 3 : one.thin ? 1 : 2;
    stroke("rgba(0,0,0,.65)", width + 2.5, []);
    stroke(one.colour, width, one.dashed ? [6, 4] : []);
    context.setLineDash([]);
    if (chosen) {
      for (const [x, y] of [[x1, y1], [x2, y1], [x1, y2], [x2, y2]]) {
        context.fillStyle = "#fff";
        context.strokeStyle = "#000";
        context.lineWidth = 1;
        context.fillRect(x - 4, y - 4, 8, 8);
        context.strokeRect(x - 4, y - 4, 8, 8);
      }
    }
    context.font = `600 ${chosen ? 15 : 13}px system-ui, sans-serif`;
    context.lineJoin = "round";
    context.lineWidth = 3.5;
    context.strokeStyle = "rgba(0,0,0,.85)";
    context.fillStyle = one.colour;
    // Beside the box, where it hides no vertebra.
    const wide = context.measureText(one.text).width, right = x2 + 7 + wide < this.stage.clientWidth;
    context.textBaseline = "middle";
    const x = right ? x2 + 7 : Math.max(2, x1 - 7 - wide), y = (y1 + y2) / 2;
    context.strokeText(one.text, x, y);
    context.fillText(one.text, x, y);
  }

  at(event) {
    const frame = this.canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  // What lies there: { id, sides: which of x1, y1, x2, y2 a drag moves }
  hit(point, kind) {
    const reach = HANDLE[kind] ?? HANDLE.mouse, chosen = this.boxes.find((one) => one.id === this.selected && !one.fixed);
    if (chosen && this.overlay) {
      const [x1, y1] = this.toStage(chosen.box[0], chosen.box[1]), [x2, y2] = this.toStage(chosen.box[2], chosen.box[3]);
      const near = (a, b) => Math.abs(a - b) <= Math.min(reach, Math.max(4, (a === x1 || a === x2 ? x2 - x1 : y2 - y1) / 3));
      const across = point.x > x1 - reach && point.x < x2 + reach, along = point.y > y1 - reach && point.y < y2 + reach;
      const sides = [near(x1, point.x) && along, near(y1, point.y) && across, near(x2, point.x) && along, near(y2, point.y) && across];
      if (sides.some(Boolean)) return { id: chosen.id, sides };
    }
    const [x, y] = this.toSlice(point), area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
    const inside = this.overlay ? this.boxes.filter(({ box, fixed }) =>
      !fixed && x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]) : [];
    const best = inside.find((one) => one.id === this.selected) ?? inside.sort((a, b) => area(a) - area(b))[0];
    return best ? { id: best.id, sides: [true, true, true, true] } : null;
  }

  onWheel(event) {
    event.preventDefault();
    if (!this.slice) return;
    if (event.ctrlKey) return this.zoom(Math.exp(-event.deltaY / 300), this.at(event));
    this.wheel += event.deltaMode ? event.deltaY * WHEEL_STEP : event.deltaY;
    const steps = Math.trunc(this.wheel / WHEEL_STEP);
    this.wheel -= steps * WHEEL_STEP;
    if (steps) this.told.step(Math.sign(steps));
  }

  onDown(event) {
    if (!this.slice) return;
    this.stage.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const point = this.at(event);
    this.pointers.set(event.pointerId, point);
    if (this.pointers.size > 1) {
      this.drag = { kind: "pinch" };
      return this.draw();
    }
    const from = { start: point, last: point };
    if (event.button === 2) this.drag = { kind: "window", ...from };
    else if (event.button === 1) this.drag = { kind: "pan", ...from };
    else if (this.adding) this.drag = { kind: "add", ...from };
    else {
      const hit = this.hit(point, event.pointerType);
      const box = hit && this.boxes.find((one) => one.id === hit.id).box;
      this.drag = hit ? { kind: "box", ...from, ...hit, original: box } : { kind: "pan", ...from, empty: true };
      if (hit && hit.id !== this.selected) this.told.select(hit.id);
    }
  }

  onMove(event) {
    const point = this.at(event), { drag, slice } = this;
    if (!slice) return;
    const [x, y] = this.toSlice(point).map(Math.floor), seen = x >= 0 && y >= 0 && x < slice.width && y < slice.height;
    this.told.cursor(seen ? x : null, y, slice.pixels?.[y * slice.width + x]);
    if (!this.pointers.has(event.pointerId)) {
      const hit = this.adding ? null : this.hit(point, event.pointerType);
      this.canvas.style.cursor = this.adding ? "crosshair" : hit ? cursor(hit.sides) : "grab";
      return;
    }
    if (drag?.kind === "pinch") return this.pinch(event.pointerId, point);
    if (!drag) return;
    const dx = point.x - drag.last.x, dy = point.y - drag.last.y;
    const far = Math.hypot(point.x - drag.start.x, point.y - drag.start.y) >= DRAG_BEGINS;
    drag.moved ||= far;
    if (!drag.moved) return;
    drag.last = point;
    if (drag.kind === "pan") this.pan(dx, dy);
    else if (drag.kind === "window") {
      const unit = Math.max(this.width, 16) / 400;
      this.told.window(this.level + dy * unit, this.width + dx * unit);
    } else {
      const [sx, sy] = this.toSlice(drag.start), [px, py] = this.toSlice(point);
      drag.box = drag.kind === "add" ? clamp([Math.min(sx, px), Math.min(sy, py), Math.max(sx, px), Math.max(sy, py)], slice)
        : moved(drag.original, drag.sides, px - sx, py - sy, slice);
      this.draw();
    }
  }

  onUp(event) {
    const { drag } = this;
    this.pointers.delete(event.pointerId);
    if (this.pointers.size) return;
    this.drag = null;
    if (drag && event.type === "pointerup") {
      if (drag.kind === "box" && drag.box) this.told.box(drag.id, drag.box);
      if (drag.kind === "add" && drag.box && large(drag.box)) this.told.add(drag.box);
      if (drag.empty && !drag.moved) this.told.select(null);
    }
    this.draw();
  }

  pinch(id, point) {
    const before = [...this.pointers.values()];
    this.pointers.set(id, point);
    const after = [...this.pointers.values()];
    const span = ([a, b]) => Math.max(10, Math.hypot(a.x - b.x, a.y - b.y));
    const middle = ([a, b]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
    const from = middle(before), to = middle(after);
    this.pan(to.x - from.x, to.y - from.y);
    this.zoom(span(after) / span(before), to);
  }
}

const large = (box) => Math.min(box[2] - box[0], box[3] - box[1]) >= LEAST_SIDE;

function cursor([left, top, right, bottom]) {
  if (left && right) return "move";
  if ((left && top) || (right && bottom)) return "nwse-resize";
  if ((right && top) || (left && bottom)) return "nesw-resize";
  return left || right ? "ew-resize" : "ns-resize";
}

export function clamp(box, slice) {
  return box.map((one, i) => Math.min(Math.max(one, 0), i % 2 ? slice.height : slice.width));
}

// The box with these sides moved; it stays in the slice, keeps its size if all four move, and never gets too small.
export function moved(box, sides, dx, dy, slice) {
  const next = [...box];
  for (const [low, high, by, most] of [[0, 2, dx, slice.width], [1, 3, dy, slice.height]]) {
    if (sides[low] && sides[high]) {
      const step = Math.min(Math.max(by, -box[low]), most - box[high]);
      next[low] += step;
      next[high] += step;
    } else if (sides[low]) next[low] = Math.max(0, Math.min(box[low] + by, box[high] - LEAST_SIDE));
    else if (sides[high]) next[high] = Math.min(most, Math.max(box[high] + by, box[low] + LEAST_SIDE));
  }
  return clamp(next, slice);
}

// pictures.js - the pixels of slices, fetched once and kept for a while.
import { request } from "./api.js";
import { decodePng } from "./png.js";

const KEPT = 12;  // slices: scrolling back and forth fetches nothing
const WINDOWS = [["bone", 400, 1800], ["soft tissue", 40, 400]];  // level and width, HU; bone as in the ready configs

export class Pictures {
  constructor(path) {
    Object.assign(this, { path, kept: new Map() });
  }

  // { width, height, bits, pixels }; { width, height, bitmap } of a preview; null where there is neither.
  async get(slice) {
    const name = slice.picture ?? slice.preview;
    if (!name) return null;
    const known = this.kept.get(name) ?? this.fetch(name, slice);
    this.kept.delete(name);
    this.kept.set(name, known);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    return known.catch((problem) => {
      this.kept.delete(name);
      throw problem;
    });
  }

  async fetch(name, slice) {
    const answer = await request(this.path(name));
    if (!slice.picture) {
      const bitmap = await createImageBitmap(await answer.blob());
      return { width: bitmap.width, height: bitmap.height, bitmap };
    }
    const made = await decodePng(await answer.arrayBuffer());
    if (made.width === slice.width && made.height === slice.height) return made;
    throw new Error(`The picture is ${made.width} x ${made.height}, the report says ${slice.width} x ${slice.height}`);
  }
}

// Windows to choose from, the first one first: [name, level, width] in pixel values.
export function windows({ bits, pixels }, offset) {
  if (offset !== undefined) return WINDOWS.map(([name, level, width]) => [name, level + offset, width]);
  const [low, high] = bits === 8 ? [0, 255] : pixels.reduce(([a, b], one) => [Math.min(a, one), Math.max(b, one)], [65535, 0]);
  return [["whole range", (low + high) / 2, Math.max(1, high - low)]];
}

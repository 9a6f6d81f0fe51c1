// pictures.js - the pixels of slices, fetched once and kept for a while; windows.
import { request } from "./api.js";
import { decodePng } from "./png.js";

const KEPT = 12;  // slices: scrolling back and forth fetches nothing
// Level and width in Hounsfield units; bone is the window of the ready configs.
export const PRESETS = { bone: [400, 1800], "soft tissue": [40, 400] };

export class Pictures {
  constructor(job, study) {
    this.path = (name) => `jobs/${job}/files/${encodeURIComponent(name)}?study=${study}`;
    this.kept = new Map();
  }

  // { width, height, bits, pixels }, or { width, height, picture } of a preview, or null where there is neither.
  get(slice) {
    const name = slice.picture ?? slice.preview;
    if (!name) return Promise.resolve(null);
    const known = this.kept.get(name) ?? this.fetch(name, slice);
    this.kept.delete(name);
    this.kept.set(name, known);
    known.catch(() => this.kept.delete(name));
    while (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    return known;
  }

  async fetch(name, slice) {
    const answer = await request(this.path(name));
    if (!slice.picture) {
      const picture = await createImageBitmap(await answer.blob());
      return { width: picture.width, height: picture.height, picture };
    }
    const made = await decodePng(await answer.arrayBuffer());
    if (made.width !== slice.width || made.height !== slice.height) {
      throw new Error(`The picture cannot be shown: its size is ${made.width} x ${made.height}, not that of the report`);
    }
    return made;
  }
}

// The window to begin with, level and width in pixel values.
export function firstWindow(picture, offset) {
  if (offset !== undefined) return [PRESETS.bone[0] + offset, PRESETS.bone[1]];
  if (picture.bits === 8) return [127.5, 255];
  let low = 65535, high = 0;
  for (const value of picture.pixels) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [(low + high) / 2, Math.max(1, high - low)];
}

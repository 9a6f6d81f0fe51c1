// png.js - grey PNG of 8 or 16 bits without losses: a canvas would keep 8 bits of 16. Every size is checked before use, and
// DecompressionStream checks the checksum of zlib.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10], MOST_PIXELS = 1 << 26;

function need(holds, what) {
  if (!holds) throw new Error(`The picture cannot be shown: ${what}`);
}

async function inflate(parts, size) {
  const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate")).getReader(), out = new Uint8Array(size);
  const read = () => reader.read().catch(() => need(false, "its data is damaged"));
  let at = 0;
  for (let step = await read(); !step.done; at += step.value.length, step = await read()) {
    need(at + step.value.length <= size, "more pixels than its size says");
    out.set(step.value, at);
  }
  need(at === size, "it ends too early");
  return out;
}

// Undoes the filter of each row in place; `step`: bytes of a pixel. The byte that names the filter stays.
function unfilter(data, height, row, step) {
  for (let y = 0; y < height; ++y) {
    const start = y * (row + 1) + 1, filter = data[start - 1];
    need(filter <= 4, `row ${y} has the filter ${filter}`);
    for (let at = start; filter && at < start + row; ++at) {
      const inner = at - start >= step, left = inner ? data[at - step] : 0, up = y ? data[at - row - 1] : 0;
      if (filter < 4) data[at] += [0, left, up, (left + up) >> 1][filter];
      else {
        const corner = y && inner ? data[at - row - 1 - step] : 0;
        const a = Math.abs(up - corner), b = Math.abs(left - corner), c = Math.abs(left + up - 2 * corner);
        data[at] += a <= b && a <= c ? left : b <= c ? up : corner;
      }
    }
  }
}

// { width, height, bits, pixels: Uint8Array or Uint16Array }
export async function decodePng(buffer) {
  const bytes = new Uint8Array(buffer), view = new DataView(buffer), parts = [];
  need(SIGNATURE.every((one, i) => bytes[i] === one), "it is no PNG");
  let at = 8, header = 0;
  for (let type = ""; type !== "IEND";) {
    need(at + 12 <= bytes.length, "it ends too early");
    const length = view.getUint32(at);
    need(length <= bytes.length - at - 12, "a chunk is longer than the file");
    type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (type === "IHDR" && length === 13) header = at + 8;
    if (type === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  need(header, "it has no header");
  const width = view.getUint32(header), height = view.getUint32(header + 4), bits = bytes[header + 8];
  need([8, 16].includes(bits) && !bytes[header + 9] && !bytes[header + 12], "expected grey of 8 or 16 bits, not interlaced");
  need(width && height && width * height <= MOST_PIXELS, `its size is ${width} x ${height}`);
  const step = bits / 8, row = width * step, data = await inflate(parts, (row + 1) * height);
  unfilter(data, height, row, step);
  const pixels = step === 1 ? new Uint8Array(width * height) : new Uint16Array(width * height);
  for (let i = 0; i < pixels.length; ++i) {
    const from = Math.floor(i / width) * (row + 1) + 1 + (i % width) * step;
    pixels[i] = step === 1 ? data[from] : (data[from] << 8) | data[from + 1];
  }
  return { width, height, bits, pixels };
}

// png.js - grey PNG of 8 or 16 bits without losses: a canvas would keep 8 bits of 16. Every size is checked; zlib's
// checksum by DecompressionStream.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const MOST_PIXELS = 1 << 26;

function wrong(what) {
  return new Error(`The picture cannot be shown: ${what}`);
}

async function inflate(parts, size) {
  const out = new Uint8Array(size);
  let at = 0;
  try {
    const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
    for await (const chunk of chunks(stream)) {
      if (at + chunk.length > size) throw wrong("more pixels than its size says");
      out.set(chunk, at);
      at += chunk.length;
    }
  } catch (problem) {
    throw problem instanceof TypeError ? wrong("its data is damaged") : problem;
  }
  if (at !== size) throw wrong("it ends too early");
  return out;
}

async function* chunks(stream) {
  const reader = stream.getReader();
  for (let step = await reader.read(); !step.done; step = await reader.read()) yield step.value;
}

// Undoes the filter of each row in place; `pixel`: bytes of one. `data` keeps its filter bytes.
function unfilter(data, height, row, pixel) {
  for (let y = 0; y < height; ++y) {
    const start = y * (row + 1) + 1, filter = data[start - 1];
    if (filter > 4) throw wrong(`row ${y} has the filter ${filter}`);
    for (let i = 0; i < row; ++i) {
      const at = start + i;
      const left = i >= pixel ? data[at - pixel] : 0, up = y ? data[at - row - 1] : 0;
      if (filter === 1) data[at] += left;
      else if (filter === 2) data[at] += up;
      else if (filter === 3) data[at] += (left + up) >> 1;
      else if (filter === 4) {
        const corner = y && i >= pixel ? data[at - row - 1 - pixel] : 0;
        const a = Math.abs(up - corner), b = Math.abs(left - corner), c = Math.abs(left + up - 2 * corner);
        data[at] += a <= b && a <= c ? left : b <= c ? up : corner;
      }
    }
  }
}

// { width, height, bits, pixels: Uint8Array or Uint16Array }
export async function decodePng(buffer) {
  const bytes = new Uint8Array(buffer), view = new DataView(buffer);
  if (SIGNATURE.some((one, i) => bytes[i] !== one)) throw wrong("it is no PNG");
  let at = 8, header = null, ended = false;
  const parts = [];
  while (!ended) {
    if (at + 12 > bytes.length) throw wrong("it ends too early");
    const length = view.getUint32(at), type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (length > bytes.length - at - 12) throw wrong("a chunk is longer than the file");
    if (type === "IHDR" && length === 13) header = at + 8;
    if (type === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
    ended = type === "IEND";
    at += 12 + length;
  }
  if (header === null) throw wrong("it has no header");
  const width = view.getUint32(header), height = view.getUint32(header + 4), bits = bytes[header + 8];
  if (![8, 16].includes(bits) || bytes[header + 9] !== 0 || bytes[header + 12] !== 0) {
    throw wrong("expected grey of 8 or 16 bits, not interlaced");
  }
  if (!width || !height || width * height > MOST_PIXELS) throw wrong(`its size is ${width} x ${height}`);
  const row = width * (bits / 8), data = await inflate(parts, (row + 1) * height);
  unfilter(data, height, row, bits / 8);
  const pixels = bits === 8 ? new Uint8Array(width * height) : new Uint16Array(width * height);
  for (let y = 0, to = 0; y < height; ++y) {
    for (let x = 0, from = y * (row + 1) + 1; x < width; ++x, ++to) {
      pixels[to] = bits === 8 ? data[from + x] : (data[from + 2 * x] << 8) | data[from + 2 * x + 1];
    }
  }
  return { width, height, bits, pixels };
}

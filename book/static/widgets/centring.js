// Bringing a drawn digit to the form of the MNIST set, as its makers describe it, and finding pictures like it.

export const SIDE = 28;
const BOX = 20, INK = 24; // INK: below it a pixel counts as paper

/** The smallest box {left, top, width, height} around the ink of a square picture (side × side), or null for none. */
export function boxOfInk(grey, side) {
  let left = side, top = side, right = -1, bottom = -1;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (grey[y * side + x] < INK) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    }
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Bring a square grey picture to MNIST's form: fitted into 20 × 20, centre of mass at pixel 14, 14 of 28 × 28. */
export function centre(grey, side) {
  const box = boxOfInk(grey, side), seen = new Uint8Array(SIDE * SIDE);
  if (!box) return seen;
  const scale = BOX / Math.max(box.width, box.height);
  const width = Math.max(1, Math.round(box.width * scale)), height = Math.max(1, Math.round(box.height * scale));
  const across = shares(box.left, box.width, width), down = shares(box.top, box.height, height);
  const small = down.map((rows) => across.map((columns) => {
    let sum = 0;
    for (const [y, h] of rows) for (const [x, w] of columns) sum += h * w * grey[y * side + x];
    return sum;
  }));
  let mass = 0, mx = 0, my = 0;
  small.forEach((row, y) => row.forEach((value, x) => { mass += value; mx += value * x; my += value * y; }));
  const dx = place(mx / mass, width), dy = place(my / mass, height);
  small.forEach((row, y) => row.forEach((value, x) => { seen[(y + dy) * SIDE + x + dx] = Math.round(value); }));
  return seen;
}

// Where the first pixel goes, so that the centre of mass is in the middle and nothing leaves the picture.
const place = (mass, length) => Math.min(SIDE - length, Math.max(0, Math.round(SIDE / 2 - mass)));

// Which source pixels, and which share of each, make a target pixel: the mean over its area.
function shares(start, length, count) {
  const step = length / count;
  return Array.from({ length: count }, (_, index) => {
    const low = index * step, high = low + step, found = [];
    for (let pixel = Math.floor(low); pixel < Math.min(length, Math.ceil(high)); pixel++) {
      found.push([start + pixel, (Math.min(high, pixel + 1) - Math.max(low, pixel)) / step]);
    }
    return found;
  });
}

/** The rows of `table` (n × width) nearest to `values` by Euclidean distance: [row, distance], nearest first. */
export function nearest(table, values, count) {
  const width = values.length;
  const distances = Array.from({ length: table.length / width }, (_, row) => {
    let sum = 0;
    for (let index = 0; index < width; index++) sum += (table[row * width + index] - values[index]) ** 2;
    return [row, Math.sqrt(sum)];
  });
  return distances.sort((a, b) => a[1] - b[1]).slice(0, count);
}

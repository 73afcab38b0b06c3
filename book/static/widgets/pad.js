// The area to draw a digit in, with mouse, finger or keyboard.
import { boxOfInk, SIDE } from "./centring.js";
import { make, paintDigit } from "./kit.js";

export const PAD = 280;
const PEN = 22;

/** Return {element, grey, focus, load, frame, onClear}; `changed()` is called after every stroke, `t` has the texts. */
export function drawingPad(t, changed) {
  const canvas = make("canvas", { width: PAD, height: PAD, tabindex: 0, role: "application", "aria-label": t.pad });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const frame = make("span", { class: "frame" }), tip = make("span", { class: "tip" }), said = make("span", { class: "unseen", role: "status" });
  const pen = { x: PAD / 2, y: PAD / 4, down: false };
  Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: PEN, strokeStyle: "#fff" });
  const grey = () => context.getImageData(0, 0, PAD, PAD).data.filter((_, index) => index % 4 === 0);
  const percent = (value) => `${(100 * value) / PAD}%`;
  const moveTip = () => Object.assign(tip.style, { left: percent(pen.x), top: percent(pen.y) });
  function stroke(from, to) {
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    changed();
  }
  const at = (event) => {
    const area = canvas.getBoundingClientRect();
    return { x: ((event.clientX - area.left) * PAD) / area.width, y: ((event.clientY - area.top) * PAD) / area.height };
  };
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    stroke(from = at(event), from);
  });
  canvas.addEventListener("pointermove", (event) => { if (from) stroke(from, from = at(event)); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { from = null; });
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const before = { ...pen };
    if (moves[event.key]) {
      [pen.x, pen.y] = [pen.x, pen.y].map((value, axis) => Math.min(PAD, Math.max(0, value + 14 * moves[event.key][axis])));
      if (pen.down) stroke(before, pen);
    } else if (event.key === " ") {
      said.textContent = t.pen(pen.down = !pen.down);
      if (pen.down) stroke(pen, pen);
    } else if (event.key === "Delete") self.onClear();
    else return;
    event.preventDefault();
    tip.classList.toggle("down", pen.down);
    moveTip();
  });
  moveTip();
  const self = {
    element: make("div", { class: "pad" }, canvas, frame, tip, said),
    grey,
    focus: () => canvas.focus(),
    onClear() {},
    load(pixels) {
      const small = make("canvas");
      small.width = small.height = SIDE;
      paintDigit(small, pixels);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, PAD, PAD);
    },
    frame(visible) {
      const box = visible && boxOfInk(grey(), PAD);
      frame.hidden = !box;
      if (!box) return;
      const side = Math.max(box.width, box.height); // the square that becomes 20 × 20
      const left = box.left + (box.width - side) / 2, top = box.top + (box.height - side) / 2;
      Object.assign(frame.style, { left: percent(left), top: percent(top), width: percent(side), height: percent(side) });
    },
  };
  return self;
}

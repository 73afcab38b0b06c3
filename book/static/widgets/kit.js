// What the widgets share: controls that keyboard, touch and screen readers can use, and plots as SVG.
// Colours come from book.css (`--series-1` …), so that light and dark pages need no code here.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element with attributes and children; text children are text, never HTML. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return an SVG element with attributes and children. */
export function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** A number as people read it: `digits` significant ones, a true minus sign, no trailing zeros. */
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : Number.isNaN(value) ? "–" : "−∞";
  const size = Math.abs(value);
  const text = size !== 0 && (size >= 1e5 || size < 1e-4)
    ? value.toExponential(Math.max(0, digits - 1)).replace(/\.?0+e/, "e").replace("e+", "e")
    : String(Number(value.toPrecision(digits)));
  return text.replace(/-/g, "−");
}

let labels = 0;

/**
 * A labelled slider whose value stands beside it. Return {element, value, set(value)}.
 * `show` makes the text from a value; `change(value)` is called on every move.
 */
export function slider({ label, min, max, step, value, show = number, change }) {
  const id = `control-${++labels}`;
  const input = make("input", { type: "range", id, min, max, step });
  const output = make("output", { for: id });
  input.value = value;
  const refresh = () => {
    const text = show(Number(input.value));
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  input.addEventListener("input", () => {
    refresh();
    change(Number(input.value));
  });
  refresh();
  return {
    element: make("div", { class: "control" }, make("label", { for: id }, label), input, output),
    input,
    get value() {
      return Number(input.value);
    },
    set(next) {
      input.value = next;
      refresh();
    },
  };
}

/** A labelled list to choose one of `options` ([value, text] pairs). Return {element, value, set(value)}. */
export function choice({ label, options, value, change }) {
  const id = `control-${++labels}`;
  const select = make("select", { id }, ...options.map(([key, text]) => make("option", { value: key }, text)));
  select.value = value;
  select.addEventListener("change", () => change(select.value));
  return {
    element: make("div", { class: "control" }, make("label", { for: id }, label), select),
    input: select,
    get value() {
      return select.value;
    },
    set(next) {
      select.value = next;
    },
  };
}

/** A button that calls `press`. */
export function button(label, press) {
  const element = make("button", { type: "button" }, label);
  element.addEventListener("click", press);
  return element;
}

/** A checkbox with its label. Return {element, value}. */
export function checkbox({ label, value = false, change }) {
  const id = `control-${++labels}`;
  const input = make("input", { type: "checkbox", id });
  input.checked = value;
  input.addEventListener("change", () => change(input.checked));
  return {
    element: make("div", { class: "control" }, input, make("label", { for: id }, label)),
    input,
    get value() {
      return input.checked;
    },
  };
}

/**
 * A button that plays a slider to its end, a step every `milliseconds`; a step a press where less motion is asked for.
 * `draw` shows the slider's value; `status` is not read aloud meanwhile. Return {element, stop}.
 */
export function player({ moments, draw, status, texts, milliseconds }) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const last = () => moments.value >= Number(moments.input.max);
  let timer = null;
  const element = button("", () => {
    if (timer) return stop();
    if (last()) moments.set(0);
    if (still.matches) return advance();
    timer = setInterval(() => { if (!advance()) stop(); }, milliseconds);
    return label();
  });
  function label() {
    element.textContent = still.matches ? texts.next : timer ? texts.pause : texts.play;
    status.setAttribute("aria-live", timer ? "off" : "polite"); // a screen reader can not follow a film
  }
  function advance() {
    moments.set(moments.value + 1);
    draw();
    return !last();
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    label();
  }
  label();
  return { element, stop };
}

/** A line of text that a screen reader reads when it changes. */
export function statusLine() {
  return make("p", { class: "status", role: "status", "aria-live": "polite" });
}

const MARGIN = { left: 52, right: 12, top: 12, bottom: 40 };

/**
 * Axes with ticks and labels as an SVG that scales with the page.
 *
 * `x` and `y` are [low, high]; `title` says to a screen reader what is drawn; `xTicks` and `yTicks`, [value, text]
 * pairs, stand in for round numbers. Return {element, layer, px, py, line, dots, clear}: `layer` holds what is drawn inside the axes, px and py map data to the SVG's units,
 * line(points, class) and dots(points, class, radius) draw [x, y] pairs, clear() empties the layer.
 */
export function plot({ x, y, xLabel = "", yLabel = "", title, width = 420, height = 300, xTicks = roundTicks(...x), yTicks = roundTicks(...y) }) {
  const inner = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const px = (value) => inner.left + ((value - x[0]) / (x[1] - x[0])) * (inner.right - inner.left);
  const py = (value) => inner.bottom - ((value - y[0]) / (y[1] - y[0])) * (inner.bottom - inner.top);
  const clip = `clip-${++labels}`;
  const layer = makeSvg("g", { "clip-path": `url(#${clip})` });
  const axes = makeSvg("g", { class: "axes" });
  for (const [value, text] of xTicks) {
    axes.append(
      makeSvg("line", { x1: px(value), x2: px(value), y1: inner.top, y2: inner.bottom }),
      makeSvg("text", { x: px(value), y: inner.bottom + 15, "text-anchor": "middle" }, text),
    );
  }
  for (const [value, text] of yTicks) {
    axes.append(
      makeSvg("line", { x1: inner.left, x2: inner.right, y1: py(value), y2: py(value) }),
      makeSvg("text", { x: inner.left - 6, y: py(value) + 4, "text-anchor": "end" }, text),
    );
  }
  const middle = (inner.top + inner.bottom) / 2;
  axes.append(
    makeSvg("text", { x: (inner.left + inner.right) / 2, y: height - 6, "text-anchor": "middle" }, xLabel),
    makeSvg("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, yLabel),
  );
  const element = makeSvg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": title },
    makeSvg("clipPath", { id: clip }, makeSvg("rect", {
      x: inner.left, y: inner.top, width: inner.right - inner.left, height: inner.bottom - inner.top,
    })),
    axes,
    layer,
  );
  return {
    element,
    layer,
    px,
    py,
    line(points, kind = "series-1") {
      const path = points
        .filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b))
        .map(([a, b], index) => `${index ? "L" : "M"}${px(a).toFixed(2)} ${py(b).toFixed(2)}`)
        .join("");
      const drawn = makeSvg("path", { d: path, class: `line ${kind}` });
      layer.append(drawn);
      return drawn;
    },
    dots(points, kind = "series-1", radius = 3) {
      const drawn = points.map(([a, b]) => makeSvg("circle", { cx: px(a), cy: py(b), r: radius, class: `dot ${kind}` }));
      layer.append(...drawn);
      return drawn;
    },
    clear() {
      layer.replaceChildren();
    },
  };
}

function roundTicks(low, high) {
  return ticks(low, high).map((value) => [value, number(value)]);
}

/** Return about five round numbers between low and high. */
export function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let count = Math.ceil(low / step); count * step <= high + step * 1e-9; count++) found.push(count * step);
  return found;
}

/** Return bytes as an image (width × height) on a canvas: grey from 0 (paper) to 255 (ink). */
export function digitCanvas(pixels, { side = 28, scale = 3, label = "" } = {}) {
  const said = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  const canvas = make("canvas", { width: side, height: side, class: "digit", ...said });
  canvas.style.width = canvas.style.height = `${side * scale}px`;
  paintDigit(canvas, pixels, side);
  return canvas;
}

/** Paint grey bytes (side × side) onto a canvas of that size, white on black as MNIST is. */
export function paintDigit(canvas, pixels, side = 28) {
  const image = new ImageData(side, side);
  for (let index = 0; index < side * side; index++) {
    image.data.fill(pixels[index], 4 * index, 4 * index + 3);
    image.data[4 * index + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Return the bytes of a base64 text. */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

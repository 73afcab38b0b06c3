// One neuron: y = f(w·x + b), its slope f'(z)·w, and where it saturates. Sections 1 and 2 of the notes.
import { choice, make, makeSvg, number, plot, slider, statusLine } from "./kit.js";

const TEXTS = {
  en: {
    activation: "activation f",
    names: { identity: "identity (none)", sigmoid: "sigmoid", tanh: "tanh", relu: "ReLU" },
    weight: "weight w",
    bias: "bias b",
    input: "input x",
    output: "output y",
    slope: "slope dy/dx",
    curveTitle: "Output of the neuron against its input, with the tangent at x",
    slopeTitle: "Slope of the output against the input",
    now: (z, y, slope) => `z = w·x + b = ${z},  y = f(z) = ${y},  slope = f′(z)·w = ${slope}.`,
    zones: (where) => `Hatched: saturated, slope below 5 % of its largest (${where}).`,
    none: "It saturates nowhere: the slope is the same everywhere.",
    flat: "With w = 0 the neuron ignores its input: the slope is 0 everywhere.",
    off: (where) => `Hatched: switched off, slope 0 (${where}).`,
    inside: "This input lies in it: a change of x hardly moves y, and hardly any gradient passes.",
    insideOff: "This input lies in it: no gradient passes, so the weights do not learn from it.",
    or: " or ",
    everywhere: "everywhere in this picture",
    task: "Try: raise w with a sigmoid. The slope in the middle grows; what happens to the hatched zones? Then choose ReLU.",
  },
  zh: {
    activation: "激活函数 f",
    names: { identity: "恒等（无激活函数）", sigmoid: "Sigmoid", tanh: "Tanh", relu: "ReLU" },
    weight: "权重 w",
    bias: "偏置 b",
    input: "输入 x",
    output: "输出 y",
    slope: "斜率 dy/dx",
    curveTitle: "神经元的输出随输入变化的曲线，以及 x 处的切线",
    slopeTitle: "输出对输入的斜率",
    now: (z, y, slope) => `z = w·x + b = ${z}，y = f(z) = ${y}，斜率 = f′(z)·w = ${slope}。`,
    zones: (where) => `阴影处饱和：斜率不到最大值的 5 %（${where}）。`,
    none: "没有饱和区：斜率处处相同。",
    flat: "w = 0 时神经元不理会输入：斜率处处为 0。",
    off: (where) => `阴影处关闭：斜率为 0（${where}）。`,
    inside: "当前输入就在其中：x 变化时 y 几乎不动，梯度也几乎传不过去。",
    insideOff: "当前输入就在其中：梯度传不过去，权重从它学不到东西。",
    or: " 或 ",
    everywhere: "图中各处",
    task: "试一试：选 Sigmoid 并增大 w，中间的斜率变大了，阴影区会怎样？再换成 ReLU 看看。",
  },
};

const RANGE = [-6, 6];
const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));

/** f(z) and f'(z) of each activation; ReLU's slope at its kink is 0, as torch has it. */
export const ACTIVATIONS = {
  identity: { f: (z) => z, slope: () => 1 },
  sigmoid: { f: sigmoid, slope: (z) => sigmoid(z) * sigmoid(-z) },
  tanh: { f: Math.tanh, slope: (z) => 1 / Math.cosh(z) ** 2 },
  relu: { f: (z) => Math.max(z, 0), slope: (z) => (z > 0 ? 1 : 0) },
};

/** What a neuron makes of x: {z, y, slope}, where slope is dy/dx. */
export function neuron(name, w, b, x) {
  const z = w * x + b;
  return { z, y: ACTIVATIONS[name].f(z), slope: ACTIVATIONS[name].slope(z) * w };
}

/** The intervals [from, to] of x, possibly infinite, in which the neuron saturates; `limits` as data.json has them. */
export function saturatedZones(name, w, b, limits) {
  if (w === 0 || name === "identity") return [];
  const inZ = name === "relu" ? [[-Infinity, 0]] : [[-Infinity, -limits[name]], [limits[name], Infinity]];
  const inX = inZ.map((ends) => ends.map((z) => (z - b) / w).sort((first, second) => first - second));
  return inX.sort((first, second) => first[0] - second[0]);
}

export function mount(element, { data, language }) {
  const texts = TEXTS[language];
  const { start } = data;
  const shown = make("div", { class: "panels" });
  const status = statusLine();
  const activation = choice({ label: texts.activation, options: Object.entries(texts.names), value: start.activation, change: draw });
  const move = (label, min, max, step, value) => slider({ label, min, max, step, value, change: draw });
  const w = move(texts.weight, -5, 5, 0.1, start.w);
  const b = move(texts.bias, -5, 5, 0.1, start.b);
  const x = move(texts.input, ...RANGE, 0.1, start.x);

  function draw() {
    const name = activation.value;
    const now = neuron(name, w.value, b.value, x.value);
    const zones = saturatedZones(name, w.value, b.value, data.limits).filter(([from, to]) => from < RANGE[1] && to > RANGE[0]);
    const at = Array.from({ length: 481 }, (_, index) => RANGE[0] + index / 40);
    const curve = at.map((value) => [value, neuron(name, w.value, b.value, value)]);
    const high = name === "sigmoid" || name === "tanh" ? 1.2 : 6;
    const outputs = plot({ x: RANGE, y: [-high, high], xLabel: texts.input, yLabel: texts.output, title: texts.curveTitle });
    const slopes = plot({ x: RANGE, y: slopeRange(name, w.value), xLabel: texts.input, yLabel: texts.slope, title: texts.slopeTitle });
    for (const picture of [outputs, slopes]) hatch(picture, zones);
    outputs.line(curve.map(([value, { y }]) => [value, y]), "series-1");
    const reach = 1.5 / Math.hypot(1, (now.slope * 6) / high);
    outputs.line([-1, 1].map((side) => [x.value + side * reach, now.y + side * reach * now.slope]), "series-2 dashed");
    outputs.dots([[x.value, now.y]], "series-2", 6);
    slopes.line(curve.map(([value, { slope }]) => [value, slope]), "series-2");
    slopes.dots([[x.value, now.slope]], "series-2", 6);
    shown.replaceChildren(outputs.element, slopes.element);
    status.replaceChildren(
      make("span", { "data-value": "now" }, texts.now(number(now.z), number(now.y), number(now.slope))), " ",
      make("span", { "data-value": "zones" }, describe(name, zones)),
    );
    for (const [key, value] of Object.entries(now)) status.setAttribute(`data-${key}`, value);
  }

  function describe(name, zones) {
    if (w.value === 0) return texts.flat;
    if (name === "identity") return texts.none;
    const where = zones.map(([from, to]) => {
      if (from <= RANGE[0] && to >= RANGE[1]) return texts.everywhere;
      return from <= RANGE[0] ? `x < ${number(to)}` : `x > ${number(from)}`;
    });
    const relu = name === "relu";
    const inside = zones.some(([from, to]) => x.value >= from && x.value <= to);
    const zone = (relu ? texts.off : texts.zones)(where.join(texts.or) || "–");
    return inside ? `${zone} ${relu ? texts.insideOff : texts.inside}` : zone;
  }

  element.append(
    make("p", {}, texts.task),
    make("div", { class: "controls" }, activation.element, w.element, b.element, x.element),
    shown,
    status,
  );
  draw();
}

/** A round range that holds every slope of the neuron, so that the picture jumps seldom. */
function slopeRange(name, w) {
  const largest = Math.abs(w) * ACTIVATIONS[name].slope(name === "relu" ? 1 : 0);
  const high = [0.3, 0.6, 1.3, 2.5, 5.5].find((end) => end > largest);
  return w < 0 ? [-high, 0.1 * high] : [-0.1 * high, high];
}

function hatch(picture, zones) {
  const id = `hatch-${picture.layer.getAttribute("clip-path").replace(/\D/g, "")}`;
  const lines = makeSvg("pattern", { id, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  lines.append(makeSvg("line", { x1: 0, x2: 0, y1: 0, y2: 8, class: "hatch" }));
  picture.layer.append(lines);
  const { height } = picture.element.viewBox.baseVal;
  for (const ends of zones) {
    const [from, to] = ends.map((end) => picture.px(Math.min(Math.max(end, RANGE[0]), RANGE[1])));
    picture.layer.append(makeSvg("rect", { x: from, y: 0, width: to - from, height, fill: `url(#${id})`, "data-zone": "" }));
  }
}

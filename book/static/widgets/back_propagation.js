// Forward and backward through a 2-2-1 network, step by step, with every number. Section 3 of the notes.
import { button, choice, make, makeSvg, slider, statusLine } from "./kit.js";

const TEXTS = {
  en: {
    input: (i) => `input x${SUB[i]}`,
    label: "label y",
    rate: "learning rate",
    previous: "previous step",
    next: "next step",
    update: "step downhill",
    restart: "start again",
    title: (step) => `The network; ${step}`,
    loss: "loss",
    count: (at, all) => `Step ${at} of ${all}. `,
    fell: (before, after) => `Every weight moved against its gradient: loss ${before} → ${after}. `,
    task: "Before you go backward: which weight, made a little larger, would lower the loss most? Then look at the gradients (∂).",
    steps: [
      () => "The inputs, and all the weights (blue) that the network starts from.",
      (n, f) => `Forward: weighted sums. z₁ = w₁₁x₁ + w₁₂x₂ + b₁ = ${f(n.a[0])}; z₂ = ${f(n.a[1])}.`,
      (n, f) => `Forward: the activation. h₁ = σ(z₁) = ${f(n.h[0])}; h₂ = σ(z₂) = ${f(n.h[1])}.`,
      (n, f) => `Forward: the output. z = v₁h₁ + v₂h₂ + c = ${f(n.z)}; p = σ(z) = ${f(n.p)}.`,
      (n, f, y) => `Forward: the loss. ${y ? "−ln p" : "−ln(1 − p)"} = ${f(n.loss)}: how wrong p is for y = ${y}.`,
      (n, f, y) => `Backward: the error of the output. δ = ∂loss/∂z = p − y = ${f(n.p)} − ${y} = ${f(n.delta)}.`,
      (n, f) => `Backward: the output's weights. ∂loss/∂v₁ = δ·h₁ = ${f(n.gradient.v[0])}; ∂loss/∂v₂ = ${f(n.gradient.v[1])}; ∂loss/∂c = δ.`,
      (n, f) => `Backward: through the weights. ∂loss/∂h₁ = δ·v₁ = ${f(n.back[0])}; ∂loss/∂h₂ = δ·v₂ = ${f(n.back[1])}.`,
      (n, f) => `Backward: through the activation. δ₁ = ∂loss/∂h₁ · h₁(1 − h₁) = ${f(n.back[0])} · ${f(n.local[0])} = ${f(n.deltas[0])}; δ₂ = ${f(n.deltas[1])}.`,
      (n, f) => `Backward: the first weights. ∂loss/∂w₁₁ = δ₁·x₁ = ${f(n.gradient.w[0][0])}, and so for each; ∂loss/∂b₁ = δ₁. Now step downhill.`,
    ],
  },
  zh: {
    input: (i) => `输入 x${SUB[i]}`,
    label: "标签 y",
    rate: "学习率",
    previous: "上一步",
    next: "下一步",
    update: "沿梯度下降一步",
    restart: "重新开始",
    title: (step) => `网络图；${step}`,
    loss: "损失",
    count: (at, all) => `第 ${at} 步，共 ${all} 步。`,
    fell: (before, after) => `每个权重都朝梯度的反方向移动：损失 ${before} → ${after}。`,
    task: "反向传播之前先猜：哪个权重稍微增大，损失降得最多？再看各个梯度（∂）。",
    steps: [
      () => "输入，以及网络起始的全部权重（蓝色）。",
      (n, f) => `前向：加权求和。z₁ = w₁₁x₁ + w₁₂x₂ + b₁ = ${f(n.a[0])}；z₂ = ${f(n.a[1])}。`,
      (n, f) => `前向：激活函数。h₁ = σ(z₁) = ${f(n.h[0])}；h₂ = σ(z₂) = ${f(n.h[1])}。`,
      (n, f) => `前向：输出。z = v₁h₁ + v₂h₂ + c = ${f(n.z)}；p = σ(z) = ${f(n.p)}。`,
      (n, f, y) => `前向：损失。${y ? "−ln p" : "−ln(1 − p)"} = ${f(n.loss)}，即 y = ${y} 时 p 错了多少。`,
      (n, f, y) => `反向：输出的误差。δ = ∂loss/∂z = p − y = ${f(n.p)} − ${y} = ${f(n.delta)}。`,
      (n, f) => `反向：输出层的权重。∂loss/∂v₁ = δ·h₁ = ${f(n.gradient.v[0])}；∂loss/∂v₂ = ${f(n.gradient.v[1])}；∂loss/∂c = δ。`,
      (n, f) => `反向：穿过权重。∂loss/∂h₁ = δ·v₁ = ${f(n.back[0])}；∂loss/∂h₂ = δ·v₂ = ${f(n.back[1])}。`,
      (n, f) => `反向：穿过激活函数。δ₁ = ∂loss/∂h₁ · h₁(1 − h₁) = ${f(n.back[0])} · ${f(n.local[0])} = ${f(n.deltas[0])}；δ₂ = ${f(n.deltas[1])}。`,
      (n, f) => `反向：第一层的权重。∂loss/∂w₁₁ = δ₁·x₁ = ${f(n.gradient.w[0][0])}，其余同理；∂loss/∂b₁ = δ₁。现在可以沿梯度下降一步。`,
    ],
  },
};

const SUB = ["₁", "₂"];
const LAST = 9;
const fixed = (value) => value.toFixed(3).replace("-", "−");
const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));

/**
 * Both passes. Forward: a (the hidden units' sums), h, z, p, loss. Backward: delta = ∂loss/∂z, back = ∂loss/∂h,
 * local = h(1 − h), deltas = ∂loss/∂a, and the gradient, shaped as the parameters {w, b, v, c}.
 */
export function passes({ w, b, v, c }, x, y) {
  const a = w.map((row, j) => row[0] * x[0] + row[1] * x[1] + b[j]);
  const h = a.map(sigmoid);
  const z = v[0] * h[0] + v[1] * h[1] + c;
  const p = sigmoid(z);
  const loss = Math.max(z, 0) - y * z + Math.log1p(Math.exp(-Math.abs(z)));
  const delta = p - y;
  const back = v.map((weight) => delta * weight);
  const local = h.map((value) => value * (1 - value));
  const deltas = back.map((value, j) => value * local[j]);
  const gradient = { w: deltas.map((own) => x.map((value) => own * value)), b: deltas, v: h.map((value) => delta * value), c: delta };
  return { a, h, z, p, loss, delta, back, local, deltas, gradient };
}

/** The parameters after one step of gradient descent. */
export function downhill({ w, b, v, c }, gradient, rate) {
  const step = (values, slopes) => values.map((value, index) => value - rate * slopes[index]);
  return { w: w.map((row, j) => step(row, gradient.w[j])), b: step(b, gradient.b), v: step(v, gradient.v), c: c - rate * gradient.c };
}

export function mount(element, { data, language }) {
  const texts = TEXTS[language];
  const { start } = data;
  let parameters = start.parameters;
  let step = 4;
  let said = "";
  const redraw = () => { said = ""; draw(); };
  const inputs = start.inputs.map((value, i) => slider({ label: texts.input(i), min: -2, max: 2, step: 0.1, value, show: fixed1, change: redraw }));
  const label = choice({ label: texts.label, options: [[0, "0"], [1, "1"]], value: start.label, change: redraw });
  const rate = slider({ label: texts.rate, min: 0.1, max: 5, step: 0.1, value: start.rate, show: fixed1, change: redraw });
  const previous = button(texts.previous, () => go(step - 1));
  const next = button(texts.next, () => go(step + 1));
  const frame = make("div", {});
  const status = statusLine();

  function go(target) {
    step = Math.min(Math.max(target, 0), LAST);
    redraw();
  }

  function now() {
    return passes(parameters, inputs.map((control) => control.value), Number(label.value));
  }

  function update() {
    const before = now();
    parameters = downhill(parameters, before.gradient, rate.value);
    step = 4;
    said = texts.fell(fixed(before.loss), fixed(now().loss));
    draw();
  }

  function draw() {
    const numbers = now();
    const sentence = texts.steps[step](numbers, fixed, Number(label.value));
    frame.replaceChildren(network(numbers, parameters, inputs.map((control) => control.value), step, texts, sentence));
    status.textContent = said + texts.count(step, LAST) + sentence;
    previous.setAttribute("aria-disabled", step === 0);
    next.setAttribute("aria-disabled", step === LAST);
  }

  const restart = () => {
    parameters = start.parameters;
    go(0);
  };
  const side = make(
    "div", {},
    make("p", {}, texts.task),
    make("div", { class: "controls" }, previous, next, button(texts.update, update), button(texts.restart, restart)),
    status,
    make("div", { class: "controls" }, ...inputs.map((control) => control.element), label.element, rate.element),
  );
  element.append(make("div", { class: "panels" }, frame, side));
  draw();
}

const fixed1 = (value) => value.toFixed(1).replace("-", "−");

/** The graph: nodes with what is known of them after `step`, weights on the edges, gradients beneath them. */
function network(n, { w, b, v, c }, x, step, texts, sentence) {
  const svg = makeSvg("svg", { viewBox: "0 0 440 350", class: "plot network", role: "img", "aria-label": texts.title(sentence) });
  const [inputs, hidden, output] = [[[38, 75], [38, 245]], [[205, 75], [205, 245]], [370, 140]];
  const write = (place, text, name, kind = "") => svg.append(
    makeSvg("text", { x: place[0], y: place[1], "text-anchor": "middle", class: kind, "data-value": name ?? false }, text));
  const edge = (from, to, lit) => svg.append(makeSvg("line", {
    x1: from[0], y1: from[1], x2: to[0], y2: to[1], class: `edge ${lit ? (step > 4 ? "lit backward" : "lit") : ""}`,
  }));
  const along = (from, to, share) => [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
  hidden.forEach((to, j) => inputs.forEach((from) => edge(from, to, step === 1 || step === 9)));
  hidden.forEach((from) => edge(from, output, [3, 6, 7].includes(step)));
  edge(output, [370, 290], step === 4 || step === 5);

  const weight = (place, value, slope, name, since) => {
    write([place[0], place[1] - 3], fixed(value), name, "weight");
    if (step >= since) write([place[0], place[1] + 13], `∂ ${fixed(slope)}`, `d${name}`, "gradient");
  };
  hidden.forEach((to, j) => {
    inputs.forEach((from, i) => weight(along(from, to, i === j ? 0.5 : 0.34), w[j][i], n.gradient.w[j][i], `w${j + 1}${i + 1}`, 9));
    weight(along(to, output, 0.5), v[j], n.gradient.v[j], `v${j + 1}`, 6);
  });

  const node = (place, name, value, key) => {
    svg.append(makeSvg("circle", { cx: place[0], cy: place[1], r: 27, class: "node" }));
    write([place[0], place[1] - 4], name);
    if (value !== undefined) write([place[0], place[1] + 13], fixed(value), key);
  };
  inputs.forEach((place, i) => node(place, `x${SUB[i]}`, x[i], `x${i + 1}`));
  hidden.forEach((place, j) => {
    const [left, top] = place;
    node(place, `h${SUB[j]}`, step >= 2 ? n.h[j] : undefined, `h${j + 1}`);
    const lines = j ? [top + 43, top + 59, top + 75, top + 91] : [top - 34, top - 50, top + 43, top + 59];
    if (step >= 1) write([left, lines[0]], `z${SUB[j]} = ${fixed(n.a[j])}`, `a${j + 1}`);
    write([left, lines[1]], `b${SUB[j]} ${fixed(b[j])}${step >= 9 ? ` ∂ ${fixed(n.gradient.b[j])}` : ""}`, `b${j + 1}`, "weight");
    if (step >= 7) write([left, lines[2]], `∂h${SUB[j]} ${fixed(n.back[j])}`, `back${j + 1}`, "gradient");
    if (step >= 8) write([left, lines[3]], `δ${SUB[j]} ${fixed(n.deltas[j])}`, `delta${j + 1}`, "gradient");
  });
  node(output, "p", step >= 3 ? n.p : undefined, "p");
  if (step >= 3) write([370, 105], `z = ${fixed(n.z)}`, "z");
  write([370, 88], `c ${fixed(c)}${step >= 6 ? ` ∂ ${fixed(n.gradient.c)}` : ""}`, "c", "weight");
  if (step >= 5) write([370, 186], `δ ${fixed(n.delta)}`, "delta", "gradient");
  svg.append(makeSvg("rect", { x: 326, y: 245, width: 88, height: 48, rx: 6, class: "node" }));
  write([370, 264], texts.loss);
  if (step >= 4) write([370, 282], fixed(n.loss), "loss");
  return svg;
}

// Squared error against log loss for a sigmoid output, with their gradients by z. Section 7 of the notes.
import { choice, make, makeSvg, number, plot, slider, statusLine } from "./kit.js";

const TEXTS = {
  en: {
    z: "z, before the sigmoid",
    label: "true label",
    loss: "loss",
    gradient: "gradient by z",
    lossTitle: "Log loss and squared error against z",
    gradientTitle: "Gradients of log loss and squared error by z",
    log: "log loss",
    squared: "squared error",
    heads: ["", "loss", "gradient by z"],
    say: (p, label) => `The neuron says p = ${p} for label ${label}: `,
    wrong: (factor) => `surely wrong. The log loss pulls ${factor} times as hard as the squared error, so it mends the mistake faster.`,
    unsure: (factor) => `unsure. The log loss pulls ${factor} times as hard as the squared error.`,
    right: (factor) => `right and sure of it. Both gradients are small (log loss ${factor} times as large): little is left to mend.`,
    task: "Where is the mistake greatest, and how hard does each loss pull there? Move z to the far wrong end.",
  },
  zh: {
    z: "z（Sigmoid 之前）",
    label: "真实标签",
    loss: "损失",
    gradient: "对 z 的梯度",
    lossTitle: "对数损失与平方误差随 z 的变化",
    gradientTitle: "对数损失与平方误差对 z 的梯度",
    log: "对数损失",
    squared: "平方误差",
    heads: ["", "损失", "对 z 的梯度"],
    say: (p, label) => `标签为 ${label}，神经元给出 p = ${p}：`,
    wrong: (factor) => `错得很有把握。对数损失的梯度是平方误差的 ${factor} 倍，因此改正得更快。`,
    unsure: (factor) => `没有把握。对数损失的梯度是平方误差的 ${factor} 倍。`,
    right: (factor) => `判断正确且有把握。两个梯度都很小（对数损失的是平方误差的 ${factor} 倍），没有多少要改的。`,
    task: "哪里错得最厉害？两种损失在那里的梯度有多大？把 z 移到错得最远的一端看看。",
  },
};

const RANGE = [-8, 8];
const KINDS = { log: ["logLoss", "series-1"], squared: ["squaredError", "series-2 dashed"] };

/** p = sigmoid(z), both losses against the label (0 or 1), and their slopes by z. */
export function losses(z, label) {
  const p = z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
  const towards = label === 1 ? z : -z; // how sure of the true label
  const wrong = towards >= 0 ? Math.exp(-towards) / (1 + Math.exp(-towards)) : 1 / (1 + Math.exp(towards));
  const logLoss = Math.max(-towards, 0) + Math.log1p(Math.exp(-Math.abs(towards)));
  const sign = label === 1 ? -1 : 1;
  return {
    p,
    squaredError: wrong ** 2,
    logLoss,
    squaredErrorSlope: sign * 2 * wrong * wrong * (1 - wrong),
    logLossSlope: sign * wrong,
  };
}

export function mount(element, { data, language }) {
  const texts = TEXTS[language];
  const z = slider({ label: texts.z, min: RANGE[0], max: RANGE[1], step: 0.1, value: data.start.z, change: draw });
  const label = choice({ label: texts.label, options: [[1, "1"], [0, "0"]], value: data.start.label, change: draw });
  const shown = make("div", { class: "panels" });
  const table = make("table", {});
  const status = statusLine();

  function draw() {
    const target = Number(label.value);
    const now = losses(z.value, target);
    const at = Array.from({ length: 321 }, (_, index) => RANGE[0] + index / 20);
    const panel = (yLabel, y, title, suffix) => {
      const picture = plot({ x: RANGE, y, xLabel: texts.z, yLabel, title });
      const [middle, bottom] = [picture.px(z.value), picture.py(y[0])];
      picture.layer.append(makeSvg("line", { x1: middle, x2: middle, y1: 0, y2: bottom, class: "line quiet" }));
      for (const [name, kind] of Object.values(KINDS)) {
        picture.line(at.map((value) => [value, losses(value, target)[name + suffix]]), kind);
        picture.dots([[z.value, now[name + suffix]]], kind, 6);
      }
      return picture.element;
    };
    shown.replaceChildren(
      panel(texts.loss, [-0.3, 8.3], texts.lossTitle, ""),
      panel(texts.gradient, target ? [-1.1, 0.1] : [-0.1, 1.1], texts.gradientTitle, "Slope"),
    );
    const rows = Object.entries(KINDS).map(([key, [name, kind]]) => make(
      "tr", {},
      make("th", { scope: "row" }, makeSvg("svg", { class: "key", viewBox: "0 0 34 10" }, makeSvg("path", { d: "M0 5H34", class: `line ${kind}` })), texts[key]),
      make("td", { "data-value": name }, number(now[name], 4)),
      make("td", { "data-value": `${name}Slope` }, number(now[`${name}Slope`], 4)),
    ));
    table.replaceChildren(make("tbody", {}, make("tr", {}, ...texts.heads.map((text) => make("th", { scope: "col" }, text))), ...rows));
    const sure = target ? now.p : 1 - now.p;
    const kind = sure < 0.1 ? "wrong" : sure > 0.9 ? "right" : "unsure";
    const factor = number(now.logLossSlope / now.squaredErrorSlope, 2);
    status.textContent = texts.say(number(now.p), target) + texts[kind](factor);
    status.dataset.kind = kind;
  }

  element.append(
    make("p", {}, texts.task), make("div", { class: "controls" }, z.element, label.element), shown,
    make("div", { class: "scroll", tabindex: 0 }, table), status,
  );
  draw();
}

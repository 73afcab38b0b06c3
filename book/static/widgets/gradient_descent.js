// Gradient descent on the pipeline's line: every step at several learning rates, with gradients cleared or not.
import { checkbox, choice, make, number, player, plot, slider, statusLine } from "./kit.js";

const TEXTS = {
  en: {
    try: "Press Play. Then raise the learning rate: which one arrives in a single step, and which never? And what if the gradients are not cleared?",
    rate: "Learning rate", step: "Step", play: "Play", pause: "Pause", next: "Next step", cleared: "Gradients cleared",
    rates: (eta, edge, pipeline) => eta === pipeline ? "the pipeline's" : eta < 0.1 * edge ? "too small"
      : eta > edge ? "beyond the edge" : eta === edge ? "the edge" : eta > edge / 2 ? "large" : "",
    fit: "The data and the line", x: "x", y: "y",
    map: "The loss over weight and bias", weight: "weight (of standardised x)", bias: "bias",
    fitTitle: (line) => `Training points and the line ${line}`,
    mapTitle: (w, b) => `Contours of the loss; the path is at weight ${w}, bias ${b}; a cross marks the minimum`,
    edge: (lambda, edge) => `Curvature λ = ${lambda} in every direction, because x is standardised: the contours are circles. A step of 1/λ = ${edge / 2} goes straight to the minimum; beyond 2/λ = ${edge} each step leads further away.`,
    at: (step, loss, gw, gb) => `Step ${step}: loss ${loss}, gradient (${gw}, ${gb}).`,
    sum: (step, loss, gw, gb) => `Step ${step}: loss ${loss}, sum of all gradients (${gw}, ${gb}).`,
    ended: (tolerance) => `It has arrived: no gradient is larger than ${tolerance}.`,
    file: (line) => `This is the model file of the pipeline: ${line}.`,
    slow: "It is still on its way: the learning rate is small.",
    diverges: (factor) => `It diverges: the loss is ${factor} times that of the start.`,
    edgeNow: "It jumps to and fro for ever, as far on the other side.",
    crosses: "Each step crosses the minimum, and comes nearer.",
    swings: "Old gradients stay in the sum: the line swings past the minimum and never settles.",
    outside: "It has left the picture.",
  },
  zh: {
    try: "先按“播放”，再逐步提高学习率：哪一个一步就到最小值？哪一个永远到不了？如果不清零梯度，又会怎样？",
    rate: "学习率", step: "步数", play: "播放", pause: "暂停", next: "下一步", cleared: "每步清零梯度",
    rates: (eta, edge, pipeline) => eta === pipeline ? "流水线所用" : eta < 0.1 * edge ? "过小"
      : eta > edge ? "超过临界值" : eta === edge ? "临界值" : eta > edge / 2 ? "偏大" : "",
    fit: "数据与直线", x: "x", y: "y",
    map: "损失随权重和偏置的变化", weight: "权重（x 已标准化）", bias: "偏置",
    fitTitle: (line) => `训练数据点与直线 ${line}`,
    mapTitle: (w, b) => `损失的等高线；路径目前位于权重 ${w}、偏置 ${b}；十字表示最小值`,
    edge: (lambda, edge) => `x 已标准化，各方向的曲率都是 λ = ${lambda}，所以等高线是圆。学习率为 1/λ = ${edge / 2} 时一步到达最小值；超过 2/λ = ${edge}，每一步都离得更远。`,
    at: (step, loss, gw, gb) => `第 ${step} 步：损失 ${loss}，梯度（${gw}，${gb}）。`,
    sum: (step, loss, gw, gb) => `第 ${step} 步：损失 ${loss}，累积梯度（${gw}，${gb}）。`,
    ended: (tolerance) => `已收敛：梯度都不超过 ${tolerance}。`,
    file: (line) => `这正是流水线的模型文件：${line}。`,
    slow: "仍在途中：学习率偏小。",
    diverges: (factor) => `发散：损失是开始时的 ${factor} 倍。`,
    edgeNow: "在最小值两侧来回跳动，永不靠近。",
    crosses: "每一步都越过最小值，但越来越近。",
    swings: "旧梯度留在总和里：直线一再越过最小值，永远停不下来。",
    outside: "路径已超出图的范围。",
  },
};

/** Intercept and slope over x as measured, of a weight and a bias over standardised x. */
export function lineOf([weight, bias], { mean, scale }) {
  return [bias - (weight * mean) / scale, weight / scale];
}

function equation(intercept, slope, digits) {
  return `y = ${number(slope, digits)} x ${intercept < 0 ? "−" : "+"} ${number(Math.abs(intercept), digits)}`;
}

/** The curve [weight, bias] … on which the loss is `above` more than at the minimum: ½ dᵀ H d = above. */
export function contour({ hessian: [[a, b], [, c]], minimum }, above, points = 96) {
  return Array.from({ length: points + 1 }, (_, index) => {
    const angle = (2 * Math.PI * index) / points, [x, y] = [Math.cos(angle), Math.sin(angle)];
    const radius = Math.sqrt((2 * above) / (a * x * x + 2 * b * x * y + c * y * y));
    return [minimum[0] + radius * x, minimum[1] + radius * y];
  });
}

/** What a run does, in one word: arrives, slow, crosses, edge, diverges or swings. */
export function behaviour(run, { edge, minimum, tolerance }) {
  if (!run.cleared) return "swings";
  if (run.rate > edge) return "diverges";
  if (run.rate === edge) return "edge";
  const last = run.states.at(-1), arrived = Math.max(Math.abs(last[3]), Math.abs(last[4])) <= tolerance;
  if (!arrived) return "slow";
  const side = (state) => Math.sign(state[0] - minimum[0]);
  return run.states.length > 3 && side(run.states[0]) !== side(run.states[1]) ? "crosses" : "arrives";
}

export function mount(element, { data, language }) {
  const t = TEXTS[language];
  const rates = [...new Set(data.runs.map((run) => run.rate))];
  const start = data.runs[0].states[0], reach = Math.hypot(start[0] - data.minimum[0], start[1] - data.minimum[1]) * 1.12;
  const wide = (reach * 356) / 248; // so that circles are round
  const [w, b] = data.minimum;
  const xs = data.points.map(([x]) => x), ys = data.points.map(([, y]) => y);
  const left = plot({ x: [Math.min(...xs) - 0.2, Math.max(...xs) + 0.2], y: [Math.min(...ys) - 1, Math.max(...ys) + 1], xLabel: t.x, yLabel: t.y, title: "" });
  const right = plot({ x: [w - wide, w + wide], y: [b - reach, b + reach], xLabel: t.weight, yLabel: t.bias, title: "" });
  const status = statusLine();
  let run;

  const rate = choice({
    label: t.rate,
    options: rates.map((eta) => {
      const word = t.rates(eta, data.edge, data.pipeline);
      return [eta, word ? `${eta} (${word})` : String(eta)];
    }),
    value: data.pipeline,
    change: choose,
  });
  const cleared = checkbox({ label: t.cleared, value: true, change: choose });
  const step = slider({ label: t.step, min: 0, max: 1, step: 1, value: 0, show: String, change: () => { play.stop(); draw(); } });
  const play = player({ moments: step, draw, status, texts: t, milliseconds: 140 });

  function choose() {
    play.stop();
    run = data.runs.find((one) => one.rate === Number(rate.value) && one.cleared === cleared.value);
    step.input.max = run.states.length - 1;
    step.set(Math.min(step.value, run.states.length - 1));
    draw();
  }
  function draw() {
    const index = step.value, state = run.states[index], [intercept, slope] = lineOf(state, data);
    left.clear();
    left.dots(data.points, "quiet", 2);
    for (const past of run.states.slice(Math.max(0, index - 3), index)) drawLine(past, "quiet dashed");
    drawLine(state, "series-2");
    left.element.setAttribute("aria-label", t.fitTitle(equation(intercept, slope, 4)));
    right.clear();
    for (const share of [0.04, 0.16, 0.36, 0.64, 1, 1.44, 1.96, 2.56]) right.line(contour(data, share * (start[2] - data.least)), "quiet thin");
    right.line([[w - 0.12, b], [w + 0.12, b]], "series-1");
    right.line([[w, b - 0.12], [w, b + 0.12]], "series-1");
    right.line(run.states.slice(0, index + 1), "series-2");
    right.dots(run.states.slice(0, index), "series-2", 2.5);
    right.dots([state], "series-2", 6);
    right.element.setAttribute("aria-label", t.mapTitle(number(state[0]), number(state[1])));
    Object.assign(status.dataset, { step: index, loss: state[2], intercept, slope });
    status.textContent = [
      (run.cleared ? t.at : t.sum)(index, ...state.slice(2).map((value) => number(value))), ...explain(index, state),
    ].join(language === "zh" ? "" : " ");
  }
  function drawLine(state, kind) {
    const [intercept, slope] = lineOf(state, data);
    left.line([-9, 9].map((x) => [x, intercept + slope * x]), kind);
  }
  function explain(index, state) {
    const kind = behaviour(run, data), last = index === run.states.length - 1, found = [];
    if (kind === "diverges" && index) found.push(t.diverges(number(state[2] / start[2])));
    if (kind === "edge" && index) found.push(t.edgeNow);
    if (kind === "slow" && last) found.push(t.slow);
    if (kind === "swings" && index > 1) found.push(t.swings);
    if (kind === "crosses" && index && !last) found.push(t.crosses);
    if (last && ["arrives", "crosses"].includes(kind)) found.push(t.ended(number(data.tolerance)));
    if (last && run.cleared && run.rate === data.pipeline) {
      found.push(t.file(equation(...data.coefficients, 6)));
    }
    if (Math.abs(state[0] - w) > wide || Math.abs(state[1] - b) > reach) found.push(t.outside);
    return found;
  }

  element.append(
    make("p", {}, t.try),
    make("div", { class: "controls" }, play.element, step.element, rate.element, cleared.element),
    make("div", { class: "panels" },
      make("div", {}, make("h4", {}, t.fit), left.element), make("div", {}, make("h4", {}, t.map), right.element)),
    status,
    make("p", { class: "quiet-text" }, t.edge(number(data.hessian[0][0]), data.edge)),
  );
  choose();
  step.set(6);
  draw();
}

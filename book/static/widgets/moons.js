// Small and large networks learn a few noisy points: the boundary and the losses, epoch by epoch.
import { button, checkbox, make, makeSvg, number, player, plot, slider, statusLine } from "./kit.js";

const TEXTS = {
  en: {
    try: "Press Play, for the smallest network and for the largest. Which one goes around single points, and what does its validation loss do then? Choose a network in the table:",
    corner: "Hidden layers", units: (n) => (n === 1 ? "1 unit" : `${n} units`),
    cell: (depth, width, right) => `${depth} hidden ${depth === 1 ? "layer" : "layers"} of ${width}: validation accuracy ${right}`,
    table: "Validation accuracy at this epoch, by hidden layers and units in each; ★ the best",
    epoch: "Epoch", play: "Play", pause: "Pause", next: "Next moment", rings: "Show validation points",
    field: "What the network says", fieldTitle: (depth, width, epoch) => `Probability of class 1 over the plane after epoch ${epoch}: network of ${depth} × ${width}, with the training points`,
    losses: "Loss after each epoch", lossLabel: "loss", lossTitle: (a, b) => `Training loss, now ${a}, and validation loss, now ${b}, against the epoch`,
    training: "Training", validation: "Validation", loss: "loss", accuracy: "accuracy",
    key: "● class 0, ▲ class 1; with a ring: its label was flipped. Small and hollow: validation points. The line is p = 0.5.",
    lossKey: "Solid: training. Dashed: validation.",
    status: (epoch, depth, width) => `Epoch ${epoch}, ${depth} × ${width}:`,
    under: "it has hardly begun.",
    fits: "both losses are about as low as they have been.",
    weak: "it follows the shape only roughly: too small, or trained too briefly. It under-fits.",
    over: (epoch, low) => `it over-fits. Validation loss was lowest, ${low}, at epoch ${epoch}, and has risen since, while training loss falls.`,
    note: (rows, flips) => `${rows} training points, ${flips} of them with a flipped label. One example, chosen because it shows well; the study “capacity” measures over many sets.`,
  },
  zh: {
    try: "分别对最小和最大的网络按“播放”。哪一个会绕着个别的点弯曲？那时验证损失怎样变化？在表中选择网络：",
    corner: "隐藏层数", units: (n) => `${n} 个神经元`,
    cell: (depth, width, right) => `${depth} 个隐藏层，每层 ${width} 个神经元：验证准确率 ${right}`,
    table: "该轮的验证准确率：行为隐藏层数，列为每层神经元数；★ 为最高",
    epoch: "训练轮数", play: "播放", pause: "暂停", next: "下一时刻", rings: "显示验证点",
    field: "网络的判断", fieldTitle: (depth, width, epoch) => `第 ${epoch} 轮后平面上类别 1 的概率：${depth} × ${width} 的网络，以及训练点`,
    losses: "每轮之后的损失", lossLabel: "损失", lossTitle: (a, b) => `训练损失（当前 ${a}）与验证损失（当前 ${b}）随训练轮数的变化`,
    training: "训练", validation: "验证", loss: "损失", accuracy: "准确率",
    key: "● 类别 0，▲ 类别 1；带圈的点标签被翻转。小而空心的是验证点。线上 p = 0.5。",
    lossKey: "实线：训练；虚线：验证。",
    status: (epoch, depth, width) => `第 ${epoch} 轮，${depth} × ${width}：`,
    under: "训练刚刚开始。",
    fits: "两个损失都接近迄今的最低点。",
    weak: "只大致跟上数据的形状：网络太小或训练太短，欠拟合。",
    over: (epoch, low) => `过拟合：验证损失在第 ${epoch} 轮最低（${low}），此后上升，而训练损失仍在下降。`,
    note: (rows, flips) => `${rows} 个训练点，其中 ${flips} 个标签被翻转。这里选了一个效果明显的例子；研究 “capacity” 用许多组数据来衡量。`,
  },
};
const TRAIN_LOSS = 0, TRAIN_RIGHT = 1, LOSS = 2, RIGHT = 3; // the rows of a network's measures

/** Segments [[x, y], [x, y]] in grid units along which `field` (side × side, row by row) has the value `level`. */
export function contour(field, side, level) {
  const segments = [];
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const corners = [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]];
      const values = corners.map(([x, y]) => field[y * side + x] - level);
      const crossings = corners.flatMap((from, index) => {
        const to = corners[(index + 1) % 4], a = values[index], b = values[(index + 1) % 4];
        if (a < 0 === b < 0) return [];
        return [[0, 1].map((axis) => from[axis] + (a / (a - b)) * (to[axis] - from[axis]))];
      });
      for (let index = 0; index + 1 < crossings.length; index += 2) segments.push(crossings.slice(index, index + 2));
    }
  }
  return segments;
}

/** What a training has come to at an epoch, by its measures: under, weak, over or fits; and its best epoch so far. */
export function judge(measures, epoch) {
  const past = measures[LOSS].slice(0, epoch + 1), low = Math.min(...past), best = past.indexOf(low);
  const now = past[epoch];
  if (epoch < 3) return { kind: "under", best, low };
  if (now > 1.15 * low && measures[TRAIN_LOSS][epoch] < measures[TRAIN_LOSS][best]) return { kind: "over", best, low };
  return { kind: measures[RIGHT][epoch] < 0.9 ? "weak" : "fits", best, low };
}

export async function mount(element, { data, base, language }) {
  const t = TEXTS[language], { side, x, y, moments } = data;
  const response = await fetch(new URL("fields.bin", base));
  if (!response.ok) throw new Error(`fields.bin: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer()), cells = side * side;
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  let chosen = data.networks.length - 1;

  const field = plot({ x, y, xLabel: "x₁", yLabel: "x₂", title: "", height: 320 });
  const last = moments.at(-1), losses = plot({ x: [0, last], y: [0, 1.2], xLabel: t.epoch, yLabel: t.lossLabel, title: "", height: 320 });
  const at = ([column, row]) => [x[0] + (column * (x[1] - x[0])) / (side - 1), y[0] + (row * (y[1] - y[0])) / (side - 1)];
  const w = field.px(at([1, 0])[0]) - field.px(x[0]), h = field.py(y[0]) - field.py(at([0, 1])[1]);
  const rects = Array.from({ length: cells }, (_, index) => {
    const [a, b] = at([index % side, Math.floor(index / side)]);
    return makeSvg("rect", { x: field.px(a) - w / 2, y: field.py(b) - h / 2, width: w, height: h, "shape-rendering": "crispEdges" });
  });
  const boundary = makeSvg("path", { class: "line boundary", "data-value": "boundary" });
  const mark = ([a, b], label, size, attributes) => {
    const [cx, cy] = [field.px(a), field.py(b)];
    return label
      ? makeSvg("path", { d: `M${cx} ${cy - size}l${size} ${1.8 * size}h${-2 * size}z`, ...attributes })
      : makeSvg("circle", { cx, cy, r: size, ...attributes });
  };
  const kinds = ["series-1", "series-2"];
  const held = makeSvg("g", { class: "held" }, ...data.validation.map(([a, b, label]) => mark([a, b], label, 2, { class: `line ${kinds[label]}` })));
  const known = data.train.flatMap(([a, b, label, wrong]) => [
    mark([a, b], label, 5, { class: `dot edged ${kinds[label]}` }),
    ...(wrong ? [mark([a, b], 0, 9, { class: "line flipped" })] : []),
  ]);
  field.layer.append(...rects, held, boundary, ...known);

  const moment = slider({
    label: t.epoch, min: 0, max: moments.length - 1, step: 1, value: moments.length - 1, show: (index) => String(moments[index]),
    change: () => { play.stop(); draw(); },
  });
  const rings = checkbox({ label: t.rings, value: true, change: (on) => { held.style.display = on ? "" : "none"; } });
  const status = statusLine();
  const play = player({ moments: moment, draw, status, texts: t, milliseconds: 400 });
  const buttons = data.networks.map((network, index) => {
    const press = button("", () => { chosen = index; draw(); });
    press.dataset.value = `network-${network.depth}-${network.width}`;
    return press;
  });
  const table = make("table", { class: "networks" }, make("caption", {}, t.table),
    make("tr", {}, make("th", { scope: "col" }, t.corner), ...data.widths.map((width) => make("th", { scope: "col" }, t.units(width)))),
    ...data.depths.map((depth, row) => make("tr", {}, make("th", { scope: "row" }, String(depth)),
      ...data.widths.map((_, column) => make("td", {}, buttons[row * data.widths.length + column])))));
  const values = ["train-loss", "train-accuracy", "loss", "accuracy"].map((name) => make("td", { "data-value": name }));
  const numbers = make("table", {},
    make("tr", {}, make("td", {}), make("th", { scope: "col" }, t.loss), make("th", { scope: "col" }, t.accuracy)),
    make("tr", {}, make("th", { scope: "row" }, t.training), values[0], values[1]),
    make("tr", {}, make("th", { scope: "row" }, t.validation), values[2], values[3]));

  function draw() {
    const { depth, width, measures } = data.networks[chosen], epoch = moments[moment.value];
    const from = (chosen * moments.length + moment.value) * cells, now = bytes.subarray(from, from + cells);
    rects.forEach((rect, index) => {
      rect.setAttribute("class", now[index] < 127.5 ? "area series-1" : "area series-2");
      rect.setAttribute("fill-opacity", (Math.abs(now[index] - 127.5) / 127.5 * 0.5).toFixed(2));
    });
    const point = (place) => { const [a, b] = at(place); return `${field.px(a).toFixed(1)} ${field.py(b).toFixed(1)}`; };
    boundary.setAttribute("d", contour(now, side, 127.5).map(([a, b]) => `M${point(a)}L${point(b)}`).join(""));
    field.element.setAttribute("aria-label", t.fieldTitle(depth, width, epoch));
    losses.clear();
    losses.line([[epoch, 0], [epoch, 9]], "quiet");
    for (const [row, kind] of [[TRAIN_LOSS, "series-3"], [LOSS, "series-4 dashed"]]) {
      losses.line(measures[row].map((value, index) => [index, value]), kind);
      losses.dots([[epoch, measures[row][epoch]]], kind.split(" ")[0], 5);
    }
    losses.element.setAttribute("aria-label", t.lossTitle(number(measures[TRAIN_LOSS][epoch]), number(measures[LOSS][epoch])));
    values.forEach((cell, row) => {
      const value = measures[row][epoch];
      cell.textContent = row === TRAIN_RIGHT || row === RIGHT ? percent(value) : value.toFixed(3);
    });
    const rights = data.networks.map((network) => network.measures[RIGHT][epoch]), best = Math.max(...rights);
    buttons.forEach((press, index) => {
      press.textContent = percent(rights[index]) + (rights[index] === best ? " ★" : "");
      press.setAttribute("aria-pressed", String(index === chosen));
      press.setAttribute("aria-label", t.cell(data.networks[index].depth, data.networks[index].width, press.textContent));
    });
    const { kind, best: lowest, low } = judge(measures, epoch);
    status.dataset.kind = kind;
    status.textContent = `${t.status(epoch, depth, width)} ${kind === "over" ? t.over(lowest, number(low)) : t[kind]}`;
  }

  element.append(
    make("p", {}, t.try), table,
    make("div", { class: "controls" }, play.element, moment.element, rings.element),
    make("div", { class: "panels" },
      make("div", {}, make("h4", {}, t.field), field.element, make("p", { class: "quiet-text" }, t.key)),
      make("div", {}, make("h4", {}, t.losses), losses.element, make("p", { class: "quiet-text" }, t.lossKey), numbers)),
    status,
    make("p", { class: "quiet-text" }, t.note(data.train.length, data.train.filter(([, , , wrong]) => wrong).length)),
  );
  draw();
}

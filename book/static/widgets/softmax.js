// Softmax of three logits as bars that sum to 1, and the cross-entropy of a class. Sections 2 and 7 of the notes.
import { button, choice, make, number, slider, statusLine } from "./kit.js";

const TEXTS = {
  en: {
    classes: ["A", "B", "C"],
    logit: (name) => `logit of ${name}`,
    label: "true class",
    add: "add 1 to all",
    double: "double all",
    halve: "halve all",
    heads: ["class", "logit z", "e^z", "probability p", "gradient p − y"],
    bar: (shares) => `Probabilities as parts of one bar: ${shares}`,
    loss: (p) => `Cross-entropy −ln p of the true class = −ln ${p} = `,
    sum: (parts) => `${parts} = 1 (before rounding)`,
    task: "Before you press “add 1 to all”: what will the probabilities do? And on “double all”?",
  },
  zh: {
    classes: ["甲", "乙", "丙"],
    logit: (name) => `${name}类的 logit`,
    label: "真实类别",
    add: "全部加 1",
    double: "全部乘 2",
    halve: "全部除以 2",
    heads: ["类别", "logit z", "e^z", "概率 p", "梯度 p − y"],
    bar: (shares) => `各类概率拼成一条：${shares}`,
    loss: (p) => `真实类别的交叉熵 −ln p = −ln ${p} = `,
    sum: (parts) => `${parts} = 1（舍入之前）`,
    task: "先猜再按：“全部加 1”之后概率会怎样变？“全部乘 2”呢？",
  },
};

const LIMIT = 10;

/** Softmax of a list; the largest logit is taken off first, so that no exponential overflows. */
export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = logits.map((z) => Math.exp(z - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** {loss, gradient} of the cross-entropy of a class: ln Σ e^z − z of the class, and p − one-hot. */
export function crossEntropy(logits, label) {
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, z) => total + Math.exp(z - largest), 0);
  const gradient = softmax(logits).map((p, index) => p - (index === label ? 1 : 0));
  return { loss: largest + Math.log(sum) - logits[label], gradient };
}

export function mount(element, { data, language }) {
  const texts = TEXTS[language];
  const logits = texts.classes.map((name, index) =>
    slider({ label: texts.logit(name), min: -LIMIT, max: LIMIT, step: 0.05, value: data.start.logits[index], change: draw }));
  const label = choice({
    label: texts.label, options: texts.classes.map((name, index) => [index, name]), value: data.start.label, change: draw,
  });
  const all = (change) => () => {
    const next = logits.map((control) => change(control.value));
    if (next.some((value) => Math.abs(value) > LIMIT)) return;
    logits.forEach((control, index) => control.set(next[index]));
    draw();
  };
  const bar = make("div", { class: "shares", role: "img" });
  const table = make("table", {});
  const status = statusLine();

  function draw() {
    const z = logits.map((control) => control.value);
    const p = softmax(z);
    const { loss, gradient } = crossEntropy(z, Number(label.value));
    bar.setAttribute("aria-label", texts.bar(texts.classes.map((name, index) => `${name} ${p[index].toFixed(3)}`).join(", ")));
    bar.replaceChildren(...p.map((share, index) => {
      const part = make("div", { class: `share series-${index + 1}`, "data-share": share }, share > 0.08 ? texts.classes[index] : "");
      part.style.width = `${100 * share}%`;
      return part;
    }));
    const rows = z.map((value, index) => make(
      "tr", {},
      make("th", { scope: "row" }, make("span", { class: `swatch series-${index + 1}` }), `${texts.classes[index]}${index === Number(label.value) ? " ✓" : ""}`),
      make("td", {}, number(value)),
      make("td", {}, number(Math.exp(value))),
      make("td", { "data-value": `p${index}` }, p[index].toFixed(4)),
      make("td", { "data-value": `gradient${index}` }, number(gradient[index])),
    ));
    const head = make("tr", {}, ...texts.heads.map((text) => make("th", { scope: "col" }, text)));
    table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
    status.replaceChildren(
      texts.sum(p.map((share) => share.toFixed(4)).join(" + ")), make("br"),
      texts.loss(p[Number(label.value)].toFixed(4)), make("strong", { "data-value": "loss" }, number(loss, 4)),
    );
  }

  const buttons = [[texts.add, (z) => z + 1], [texts.double, (z) => z * 2], [texts.halve, (z) => z / 2]];
  element.append(
    make("p", {}, texts.task),
    make("div", { class: "controls" }, ...logits.map((control) => control.element), label.element),
    make("div", { class: "controls" }, ...buttons.map(([text, change]) => button(text, all(change)))),
    bar,
    make("div", { class: "scroll", tabindex: 0 }, table),
    status,
  );
  draw();
}

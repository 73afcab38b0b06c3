// The exported champion in the browser: a digit is drawn, centred as MNIST's were, and recognised by ONNX Runtime.
import { centre, nearest, SIDE } from "./centring.js";
import { button, choice, make, makeSvg, paintDigit, digitCanvas, number, statusLine } from "./kit.js";
import { drawingPad, PAD } from "./pad.js";

const TEXTS = {
  en: {
    try: "Draw a digit. Then try: a 7 with a bar through it, a 1 with a foot, a 9 whose loop stays open. Where does the network change its mind?",
    drawing: "You draw",
    pad: "Drawing area: draw with mouse or finger; or arrow keys move the pen, Space lifts or lowers it, Delete clears",
    keys: "Keyboard: arrows move the pen, Space lowers or lifts it, Delete clears.",
    example: "Load an example of", none: "–", clear: "Clear",
    seen: "The network sees", seenLabel: "The 28 × 28 pixels that the network is given",
    how: "Fitted into 20 × 20 (left: dashed), then moved until its centre of mass (cross) is in the middle of 28 × 28: so MNIST was made.",
    output: "Probabilities", layer: (n, units) => `Hidden layer ${n}: ${units} units, the stronger the colour, the more active`,
    layerLabel: (n, active, units) => `Hidden layer ${n}: ${active} of ${units} units are active`,
    near: "Most similar training digits", distance: (label, d) => `a ${label}, at ${d}`,
    nearNote: (count, name) => `Of ${count} training pictures, the nearest by the activations of the last hidden layer (${name}), Euclidean distance.`,
    mistakes: "Its worst mistakes: click one, and mend it with the pen",
    mistakesNote: (wrong, all) => `From the validation set, on which it is wrong ${wrong} times in ${all}; highest loss first.`,
    mistake: (label, said) => `${label}, taken for ${said}`, lossOf: (loss) => `loss ${loss}`,
    ask: "Ask the network", waits: "Draw, choose an example, or ask about this one: then the network is fetched, 14 MB with its runtime.",
    fetching: "Fetching the network, 14 MB with its runtime …",
    empty: "Nothing drawn yet.",
    says: (a, p, b, q) => `The network says ${a} (${p} %), then ${b} (${q} %).`,
    pen: (down) => (down ? "Pen down." : "Pen up."),
    model: (m) => `Exported model: task ${m.task}, network ${m.network}, MD5 digest ${m.md5}`,
    noWasm: "this browser has no WebAssembly, in which the network is computed.",
    noRuntime: (reason) => `ONNX Runtime did not start (${reason}).`,
    noModel: "the network's file digits.onnx could not be loaded.",
  },
  zh: {
    try: "请写一个数字。再试试：中间带一横的 7、带底座的 1、没有封口的 9。网络在哪一笔改变了判断？",
    drawing: "手写区",
    pad: "手写区：用鼠标或手指书写；也可用方向键移动笔，空格键落笔或提笔，Delete 键清除",
    keys: "键盘：方向键移动笔，空格键落笔或提笔，Delete 键清除。",
    example: "载入样例", none: "–", clear: "清除",
    seen: "网络看到的图像", seenLabel: "输入网络的 28 × 28 像素",
    how: "先保持长宽比缩放到 20 × 20（左图虚线框），再平移，使质心（十字）位于 28 × 28 的中央：MNIST 就是这样制作的。",
    output: "各类别的概率", layer: (n, units) => `隐藏层 ${n}：${units} 个神经元，颜色越浓，激活值越大`,
    layerLabel: (n, active, units) => `隐藏层 ${n}：${units} 个神经元中有 ${active} 个被激活`,
    near: "最相似的训练样本", distance: (label, d) => `数字 ${label}，距离 ${d}`,
    nearNote: (count, name) => `在 ${count} 张训练图像中，按最后一个隐藏层（${name}）激活值的欧氏距离最近的三张。`,
    mistakes: "它最严重的错误：点一张，再用笔改正",
    mistakesNote: (wrong, all) => `取自验证集（${all} 张中错 ${wrong} 张），损失最高的在前。`,
    mistake: (label, said) => `${label}，被认作 ${said}`, lossOf: (loss) => `损失 ${loss}`,
    ask: "让网络识别", waits: "请书写、选一个样例，或让网络识别这一个：届时才会下载网络，连同运行库共 14 MB。",
    fetching: "正在下载网络，连同运行库共 14 MB……",
    empty: "还没有书写。",
    says: (a, p, b, q) => `网络判断为 ${a}（${p} %），其次是 ${b}（${q} %）。`,
    pen: (down) => (down ? "已落笔。" : "已提笔。"),
    model: (m) => `导出的模型：任务 ${m.task}，网络 ${m.network}，MD5 摘要 ${m.md5}`,
    noWasm: "此浏览器不支持 WebAssembly，无法运行网络。",
    noRuntime: (reason) => `ONNX Runtime 未能启动（${reason}）。`,
    noModel: "无法载入网络文件 digits.onnx。",
  },
};
let network; // one session a page

/** Load the runtime and the network once; return run(pixels, count), which gives each output as a Float32Array. */
export function openNetwork(base, t = TEXTS.en) {
  network ??= (async () => {
    const response = await fetch(new URL("digits.onnx", base));
    if (!response.ok) throw new Error(t.noModel);
    const model = new Uint8Array(await response.arrayBuffer());
    try {
      const folder = new URL("../libraries/onnxruntime-web/", import.meta.url).href;
      const ort = await import(`${folder}ort.wasm.min.mjs`);
      ort.env.wasm.wasmPaths = folder;
      ort.env.wasm.numThreads = 1;
      const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
      return async (pixels, count = 1) => {
        const outputs = await session.run({ raw: new ort.Tensor("uint8", pixels, [count, SIDE, SIDE]) });
        return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data]));
      };
    } catch (error) {
      throw new Error(t.noRuntime(String(error.message ?? error).split("\n")[0].slice(0, 160)));
    }
  })();
  return network;
}

async function loadPictures(base) {
  const image = make("img", { src: new URL("digits.png", base).href, alt: "" });
  await image.decode();
  const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height).data.filter((_, index) => index % 4 === 0);
}

export async function mount(element, { data, base, language, fail }) {
  const t = TEXTS[language];
  if (typeof WebAssembly === "undefined") throw new Error(t.noWasm);
  const pictures = await loadPictures(base);
  const picture = (row) => pictures.slice(row * SIDE * SIDE, (row + 1) * SIDE * SIDE);
  const last = data.layers.at(-1).name, count = data.familiar.length;
  let known; // the network and what it makes of the familiar digits, once somebody asks
  const learn = async () => {
    status.textContent = t.fetching;
    const run = await openNetwork(base, t);
    return { run, familiar: (await run(pictures.slice(0, count * SIDE * SIDE), count))[last] };
  };

  const pad = drawingPad(t, () => show(centre(pad.grey(), PAD), true));
  const seen = digitCanvas(new Uint8Array(SIDE * SIDE), { scale: 6, label: t.seenLabel });
  const bars = data.classes.map((name) => {
    const bar = make("span", { class: "bar" }), value = make("output", { "data-value": `p${name}` });
    return { row: make("li", {}, make("b", {}, name), make("span", { class: "track" }, bar), value), bar, value };
  });
  const strips = data.layers.map((layer, index) => unitsOf(layer, index + 1, t));
  const near = make("div", { class: "thumbnails", "data-value": "near" });
  const status = statusLine();
  const examples = data.classes.map((name, index) => [String(index), name]);
  let turn = 0;
  const select = choice({ label: t.example, options: [["", t.none], ...examples], value: "", change: (value) => {
    const rows = [...data.familiar.keys()].filter((row) => data.familiar[row] === Number(value));
    if (value !== "") load(picture(rows[(turn += 7) % rows.length]));
  } });
  const clear = button(t.clear, () => { select.set(""); load(new Uint8Array(SIDE * SIDE)); });
  pad.onClear = () => clear.click();
  const first = picture(count + 2), ask = button(t.ask, () => { load(first); pad.focus(); });
  const mistakes = data.mistakes.map((mistake, index) => {
    const pixels = picture(count + index);
    const press = button("", () => { select.set(""); load(pixels); });
    const text = t.mistake(data.classes[mistake.label], data.classes[mistake.said]);
    press.append(digitCanvas(pixels, { scale: 2 }), make("span", {}, text), make("small", {}, t.lossOf(mistake.loss)));
    return press;
  });
  element.append(
    make("p", {}, t.try),
    make("div", { class: "panels digits" },
      make("div", {}, make("h4", {}, t.drawing), pad.element, make("div", { class: "controls" }, ask, clear, select.element),
        make("p", { class: "quiet-text" }, t.keys)),
      make("div", {}, make("h4", {}, t.seen), make("div", { class: "seen" }, seen), make("p", { class: "quiet-text" }, t.how)),
      make("div", {}, make("h4", {}, t.output), make("ol", { class: "bars" }, ...bars.map(({ row }) => row)))),
    status,
    ...strips.map(({ figure }) => figure),
    make("h4", {}, t.near), near, make("p", { class: "quiet-text" }, t.nearNote(count, last)),
    make("h4", {}, t.mistakes), make("div", { class: "thumbnails mistakes" }, ...mistakes),
    make("p", { class: "quiet-text" }, t.mistakesNote(data.validation.wrong, data.validation.pictures)),
    make("p", { class: "quiet-text", "data-value": "model" }, t.model(data.model)),
  );

  function load(pixels) {
    pad.load(pixels);
    return show(pixels, false); // as it is: an example is already of MNIST's form
  }

  let asked = 0; // what was asked last is shown last, also when answers come late
  async function show(pixels, centred) {
    paintDigit(seen, pixels);
    pad.frame(centred);
    const question = ++asked, blank = pixels.every((value) => value === 0);
    ask.hidden = true;
    let outputs, familiar;
    try {
      const network = await (known ??= learn());
      [outputs, familiar] = [await network.run(pixels), network.familiar];
    } catch (error) {
      return fail(error);
    }
    if (question !== asked) return;
    const answer = [...outputs.probabilities];
    const order = answer.map((_, index) => index).sort((a, b) => answer[b] - answer[a]);
    bars.forEach(({ row, bar, value }, index) => {
      row.classList.toggle("first", !blank && index === order[0]);
      bar.style.width = blank ? 0 : `${100 * answer[index]}%`;
      value.textContent = blank ? "–" : `${(100 * answer[index]).toFixed(1)} %`;
    });
    strips.forEach(({ fill }, index) => fill(blank ? [] : outputs[data.layers[index].name]));
    near.replaceChildren(...(blank ? [] : nearest(familiar, outputs[last], 3)).map(([row, distance]) => {
      const text = t.distance(data.classes[data.familiar[row]], number(distance));
      return make("figure", { "data-row": row }, digitCanvas(picture(row), { scale: 2, label: text }), make("figcaption", {}, text));
    }));
    const percent = (index) => (100 * answer[index]).toFixed(1);
    status.textContent = blank ? t.empty
      : t.says(data.classes[order[0]], percent(order[0]), data.classes[order[1]], percent(order[1]));
    element.dataset.answers = question; // for tests: so many questions are answered
  }
  pad.load(first);
  pad.frame(false);
  paintDigit(seen, first);
  bars.forEach(({ bar, value }) => [bar.style.width, value.textContent] = [0, "–"]);
  strips.forEach(({ fill }) => fill([]));
  status.textContent = t.waits;
  element.dataset.answers = 0;
}

function unitsOf(layer, n, t) {
  const columns = 64, rows = Math.ceil(layer.units / columns);
  const cells = Array.from({ length: layer.units }, (_, index) => makeSvg("rect", {
    x: index % columns, y: Math.floor(index / columns), width: 0.9, height: 0.9, class: "area series-1",
  }));
  const svg = makeSvg("svg", { viewBox: `0 0 ${columns} ${rows}`, role: "img", class: "heat", "data-value": layer.name }, ...cells);
  return {
    figure: make("figure", { class: "units" }, make("figcaption", {}, t.layer(n, layer.units)), svg),
    fill(values) {
      const most = Math.max(...values, 1e-9);
      cells.forEach((cell, index) => cell.setAttribute("fill-opacity", ((values[index] ?? 0) / most).toFixed(3)));
      svg.setAttribute("aria-label", t.layerLabel(n, [...values].filter((value) => value > 0).length, layer.units));
    },
  };
}

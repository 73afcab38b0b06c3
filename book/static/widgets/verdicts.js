// The notes' claims: the reader predicts, then sees what was measured. `data-study` limits the widget to one claim.
import { button, choice, make, makeSvg, number, plot, slider, statusLine, ticks } from "./kit.js";

const TEXTS = {
  en: {
    guess: "What do you expect?",
    outcomes: { holds: "holds", fails: "fails", depends: "it depends" },
    section: (text) => `Notes, ${text}`,
    position: (at, all) => `Claim ${at} of ${all}`,
    previous: "previous claim",
    next: "next claim",
    right: (verdict) => `You were right. Verdict: ${verdict}.`,
    wrong: (said, verdict) => `You said “${said}”. Verdict: ${verdict}.`,
    score: (right, all) => `So far: ${right} of ${all} right.`,
    effect: (effect, interval) => `Effect, ${effect}: ${interval}.`,
    interval: (value, low, high) => `${value} (95 % interval ${low} to ${high})`,
    threshold: (value) => `threshold ${value}`,
    strip: (effect, threshold) => `${effect}, as an interval${threshold === null ? "" : ` against the threshold ${threshold}`}`,
    seeds: (text) => `Independent seeds: ${text}.`,
    finding: (finding) => `${finding}.`,
    rule: "The rule by which it is judged",
    lookup: "Look it up in the measured table",
    cell: (name, mean, low, high, runs) => `${name}: ${mean} (80 % of ${runs} runs: ${low} to ${high})`,
    lookupTitle: (measures, axis) => `${measures} against ${axis}`,
    unknown: (name) => `there is no claim “${name}”`,
  },
  zh: {
    guess: "你预计结果如何？",
    outcomes: { holds: "成立", fails: "不成立", depends: "视情况而定" },
    section: (text) => `笔记：${text}`,
    position: (at, all) => `第 ${at} 条论断，共 ${all} 条`,
    previous: "上一条",
    next: "下一条",
    right: (verdict) => `你猜对了。结论：${verdict}。`,
    wrong: (said, verdict) => `你选的是“${said}”。结论：${verdict}。`,
    score: (right, all) => `到目前为止，${all} 条中猜对 ${right} 条。`,
    effect: (effect, interval) => `${effect}：${interval}。`,
    interval: (value, low, high) => `${value}（95 % 区间 ${low} 至 ${high}）`,
    threshold: (value) => `阈值 ${value}`,
    strip: (effect, threshold) => `${effect}的区间${threshold === null ? "" : `，与阈值 ${threshold} 对照`}`,
    seeds: (text) => `独立种子：${text}。`,
    finding: (finding) => `${finding}。`,
    rule: "判定规则",
    lookup: "在实测数据表中查看",
    cell: (name, mean, low, high, runs) => `${name}：${mean}（${runs} 次运行中 80 % 在 ${low} 至 ${high} 之间）`,
    lookupTitle: (measures, axis) => `${measures}随${axis}的变化`,
    unknown: (name) => `没有名为“${name}”的论断`,
  },
};

export function mount(element, { data, base, language, options = {} }) {
  const texts = TEXTS[language];
  const studies = options.study ? data.studies.filter((study) => study.name === options.study) : data.studies;
  if (!studies.length) throw new Error(texts.unknown(options.study));
  const answers = new Map();
  const card = make("div", {});
  const revealed = make("div", {});
  const status = statusLine();
  let at = 0;

  function show() {
    const study = studies[at];
    const said = answers.get(study.name);
    const buttons = Object.entries(texts.outcomes).map(([outcome, text]) => {
      const choose = button(text, () => {
        if (answers.has(study.name)) return; // the first answer counts
        answers.set(study.name, outcome);
        show();
        card.querySelector(`[data-outcome="${outcome}"]`).focus();
      });
      choose.dataset.outcome = outcome;
      choose.setAttribute("aria-pressed", said === outcome);
      choose.setAttribute("aria-disabled", Boolean(said) && said !== outcome);
      return choose;
    });
    card.replaceChildren(
      make("p", { class: "quiet-text" }, texts.section(study.section[language])),
      make("p", { class: "claim", "data-value": "claim" }, study.claim[language].replaceAll("`", "")),
      make("div", { class: "controls", role: "group", "aria-label": texts.guess }, make("span", {}, texts.guess), ...buttons),
    );
    status.textContent = said ? verdictLine(study, said) : "";
    revealed.replaceChildren(...(said ? [answer(study, base, texts, language, studies.length > 1)] : []));
    position.textContent = texts.position(at + 1, studies.length);
  }

  function verdictLine(study, said) {
    const verdict = study.verdict[language];
    const line = said === study.outcome ? texts.right(verdict) : texts.wrong(texts.outcomes[said], verdict);
    const right = studies.filter(({ name, outcome }) => answers.get(name) === outcome).length;
    return studies.length > 1 ? `${line} ${texts.score(right, answers.size)}` : line;
  }

  const go = (by) => () => {
    at = (at + by + studies.length) % studies.length;
    show();
  };
  const position = make("span", { "data-value": "position" });
  const pager = make("div", { class: "controls spread" }, button(texts.previous, go(-1)), position, button(texts.next, go(1)));
  element.append(...(studies.length > 1 ? [pager] : []), card, status, revealed);
  show();
}

/** What was measured of a study, as words, interval, picture and, where there is one, a table to look up. */
function answer(study, base, texts, language, open) {
  const interval = texts.interval(...[study.value, study.low, study.high].map((value) => number(value, 4)));
  const sentence = texts.effect(study.effect[language], interval);
  const found = study.finding[language];
  const finding = found && texts.finding(found); // none where it is not the sentence that was translated
  const caption = study.picture[language];
  const picture = new URL(`${study.name}.png`, base).href;
  return make(
    "div", { class: "answer" },
    ...(finding ? [make("p", { "data-value": "finding" }, finding)] : []),
    make("p", { "data-value": "effect" }, sentence),
    strip(study, texts, language),
    make("p", { class: "quiet-text", "data-value": "seeds" }, texts.seeds(study.seeds[language])),
    make("details", { "data-value": "rule" }, make("summary", {}, texts.rule), make("p", {}, study.rule[language].replaceAll("`", ""))),
    ...(study.lookup ? [lookUp(study.lookup, texts, language, open)] : []),
    make("a", { href: picture, class: "picture" }, make("img", { src: picture, alt: finding || sentence })), // to be enlarged on a phone
    ...(caption ? [make("p", { class: "quiet-text", "data-value": "caption" }, caption)] : []),
  );
}

/** The effect's interval as a bar, and the threshold of the study's rule as a dashed line. */
function strip({ effect, value, low, high, threshold, logarithmic }, texts, language) {
  const scale = (number_) => (logarithmic ? Math.log10(number_) : number_);
  const marks = [low, value, high, ...(threshold === null ? [] : [threshold])].map(scale);
  const [least, most] = [Math.min(...marks), Math.max(...marks)];
  const margin = 0.15 * (most - least) || 0.15 * Math.abs(least) || 1;
  const x = [least - margin, most + margin];
  const xTicks = ticks(...x).map((tick) => [tick, number(logarithmic ? 10 ** tick : tick, logarithmic ? 2 : 3)]);
  const title = texts.strip(effect[language], threshold);
  const picture = plot({ x, y: [0, 1], yTicks: [], xTicks, title, height: 96 });
  picture.element.classList.add("strip");
  picture.element.setAttribute("viewBox", "0 0 420 80"); // there is no label below the ticks
  picture.line([[scale(low), 0.4], [scale(high), 0.4]], "interval");
  picture.dots([[scale(value), 0.4]], "series-1", 6);
  if (threshold !== null) {
    const place = picture.px(scale(threshold));
    picture.line([[scale(threshold), 0], [scale(threshold), 1]], "series-2 dashed");
    const side = place > 230 ? -6 : 6;
    const anchor = side < 0 ? "end" : "start";
    picture.layer.append(makeSvg("text", { x: place + side, y: 24, "text-anchor": anchor }, texts.threshold(number(threshold))));
  }
  return picture.element;
}

/** Where a cell stands among those of the axes' product, the last axis fastest. */
export function cellIndex(axes, places) {
  return axes.reduce((index, axis, number_) => index * axis.values.length + places[number_], 0);
}

/** Controls over a study's axes; the first is drawn, and the cell that they point to is told. */
function lookUp({ axes, measures }, texts, language, open) {
  const shown = make("div", {});
  const told = statusLine();
  told.dataset.value = "cell";
  const controls = axes.map((axis) => {
    const label = axis.name[language];
    if (axis.names.length) {
      return choice({ label, options: axis.names.map((name, place) => [place, name[language]]), value: 0, change: draw });
    }
    const show = (place) => number(axis.values[place]);
    return slider({ label, min: 0, max: axis.values.length - 1, step: 1, value: 0, show, change: draw });
  });

  function draw() {
    const places = controls.map((control) => Number(control.value));
    const [first] = axes;
    const cells = measures.map(({ cells: all }) => first.values.map((_, place) => all[cellIndex(axes, [place, ...places.slice(1)])]));
    const logarithmic = measures[0].logarithmic;
    const scale = (value) => (logarithmic ? Math.log10(value) : value);
    // Of all cells, so that a control moves the line and not the axis.
    const all = measures.flatMap((measure) => measure.cells.flatMap(([, low, high]) => [low, high])).map(scale);
    const [least, most] = [Math.min(...all), Math.max(...all)];
    const margin = 0.06 * (most - least) || 1;
    const y = [least - margin, most + margin];
    const every = Math.ceil(first.values.length / 8);
    const names = measures.map(({ name }) => name[language]);
    const picture = plot({
      x: [-0.4, first.values.length - 0.6],
      y,
      xTicks: first.values.map((value, place) => [place, number(value)]).filter(([place]) => place % every === 0),
      yTicks: ticks(...y).map((tick) => [tick, number(logarithmic ? 10 ** tick : tick, logarithmic ? 2 : 3)]),
      xLabel: first.name[language],
      yLabel: names.length === 1 ? names[0] : "",
      title: texts.lookupTitle(names.join(", "), first.name[language]),
      height: 240,
    });
    picture.element.classList.add("strip");
    cells.forEach((row, which) => {
      const kind = which ? "series-2 dashed" : "series-1";
      const beside = 0.02 * first.values.length * which; // so that no measure hides another
      row.forEach(([, low, high], place) => picture.line([low, high].map((end) => [place + beside, scale(end)]), kind.split(" ")[0]));
      const means = row.map(([mean], place) => [place + beside, scale(mean)]);
      picture.line(means, kind);
      picture.dots(means, kind, 3);
      picture.dots([means[places[0]]], kind, 7);
    });
    shown.replaceChildren(picture.element);
    told.replaceChildren(...cells.flatMap((row, which) => {
      const [mean, low, high, runs] = row[places[0]];
      const key = makeSvg("svg", { class: "key", viewBox: "0 0 34 10" }, makeSvg("path", { d: "M0 5H34", class: `line ${which ? "series-2 dashed" : "series-1"}` }));
      return [make("div", {}, key, texts.cell(names[which], number(mean, 4), number(low), number(high), runs))];
    }));
  }

  draw();
  return make(
    "details", { open }, make("summary", {}, texts.lookup),
    make("div", { class: "controls" }, ...controls.map((control) => control.element)), shown, told,
  );
}

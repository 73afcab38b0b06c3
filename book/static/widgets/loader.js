// Starts every widget of a page. Until one has started, and whenever it cannot, its picture stays where it is.

const TEXTS = {
  en: {
    missing: (name) => `The results of this picture are not there (${name}): make them with \`make book\`.`,
    failed: (reason) => `This picture stays still: ${reason}`,
  },
  zh: {
    missing: (name) => `缺少这张图的结果（${name}）：请用 \`make book\` 生成。`,
    failed: (reason) => `这张图无法操作：${reason}`,
  },
};

export const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";

async function start(element) {
  const name = element.dataset.widget;
  const base = new URL(`../widget-data/${name}/`, import.meta.url);
  const response = await fetch(new URL("data.json", base));
  if (!response.ok) throw new Error(TEXTS[language].missing(`${name}/data.json`));
  const data = await response.json();
  const { mount } = await import(`./${name}.js`);
  const stage = document.createElement("div");
  const still = [...element.childNodes];
  const fail = (error) => { // what a widget can only find out later
    if (!stage.isConnected) return;
    element.replaceChildren(...still);
    explain(element, error);
  };
  await mount(stage, { data, base, language, options: element.dataset, fail });
  element.replaceChildren(stage);
  element.dataset.started = "true";
}

function explain(element, error) {
  explainWidget(element, TEXTS[language].failed(error.message));
}

for (const element of document.querySelectorAll("[data-widget]")) start(element).catch((error) => explain(element, error));

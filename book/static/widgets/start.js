// A classic script, because a browser loads no module from a file on disk: it says so, or starts the loader.

/** Say under a widget's picture why it stays still. */
window.explainWidget = (element, text) => {
  const message = document.createElement("p");
  message.className = "widget-message";
  message.setAttribute("role", "note");
  message.textContent = text;
  element.append(message);
  element.dataset.started = "false";
};

if (location.protocol === "file:") {
  const chinese = document.documentElement.lang.startsWith("zh");
  document.addEventListener("DOMContentLoaded", () => {
    const text = chinese
      ? "浏览器不会从磁盘上的文件加载可操作的图：请运行 make book，并打开它给出的地址。"
      : "A browser loads no interactive picture from a file on disk: run `make book` and open the address that it prints.";
    for (const element of document.querySelectorAll("[data-widget]")) explainWidget(element, text);
  });
} else {
  const loader = document.createElement("script");
  loader.type = "module";
  loader.src = new URL("loader.js", document.currentScript.src).href;
  document.head.append(loader);
}

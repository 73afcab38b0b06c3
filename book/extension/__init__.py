"""What the pages say beside Markdown: a number of this commit's results, a widget, the verdict on a claim.

{result}`evaluate/mnist/metrics.json test/accuracy .2%`     98.52 %, from that file below results/
{parameter}`train_mlp.mnist_mlp.epochs`                     20, from params.yaml
```{widget} moons                                           the widget, its picture until it starts, a caption
```{verdict} zero_centred                                   the widget of one claim, with the study's picture
"""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole

from notes.settings import read_settings

BOOK = Path(__file__).resolve().parents[1]
RESULTS = BOOK / "results"


class Widget(nodes.General, nodes.Element):
    """A place where a widget starts; attributes `name`, `study`, `picture`. Its children are a caption."""


class ResultRole(SphinxRole):
    """A number of a result file: FILE KEY FORMAT, a format as Python has it (.2% puts a space before the sign)."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        file, key, form = self.text.split()
        path = RESULTS / file
        self.env.note_dependency(str(path))
        try:
            value = json.loads(path.read_bytes())[key]
        except (OSError, KeyError) as error:
            raise ExtensionError(
                f"{path} has no {key} ({error}): run `provenn repro` in the repository's root."
            ) from None
        shown = format(value, form).replace("%", " %").replace("-", "−")
        # The reader can see on the page where a number comes from.
        source = f'title="results/{file}: {key}"'
        return [nodes.raw("", f'<span class="result" {source}>{shown}</span>', format="html")], []


class ParameterRole(SphinxRole):
    """A value of params.yaml, as JSON would write it."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        file = BOOK / "params.yaml"
        self.env.note_dependency(str(file))
        *sections, name = self.text.split(".")
        value = getattr(read_settings(*sections, file=file), name)
        return [nodes.literal(self.rawtext, value if isinstance(value, str) else json.dumps(value))], []


class WidgetDirective(SphinxDirective):
    """A widget by its name; what stands in it is the caption."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        return [self.widget(name, f"_static/widget-data/{name}/picture.png")]

    def widget(self, name: str, picture: str, study: str = "") -> Widget:
        """Return the node with the directive's content as caption."""
        node = Widget(name=name, study=study, picture=picture)
        node += self.parse_content_to_nodes()
        return node


class VerdictDirective(WidgetDirective):
    """The widget of one claim of the notes, by the study's name, with the study's own picture until it starts."""

    def run(self) -> list[nodes.Node]:
        study = self.arguments[0]
        if not (RESULTS / "study" / study / "verdict.json").is_file():
            raise self.error(f"results/study/{study}/verdict.json is missing: run `provenn repro`.")
        return [self.widget("verdicts", f"_static/widget-data/verdicts/{study}.png", study)]


def visit(translator: Any, node: Widget) -> None:
    """Open the widget and show its picture; the caption follows."""
    caption = " ".join(node.astext().split())
    image = translator.starttag(node, "img", "", src=node["picture"], alt=caption or node["name"], loading="lazy")
    data = {"data-widget": node["name"], **({"data-study": node["study"]} if node["study"] else {})}
    translator.body.append('<figure class="widget-figure">')
    translator.body.append(translator.starttag(node, "div", "", CLASS="widget", **data))
    translator.body.append(f"{image}</div>\n<figcaption>")


def depart(translator: Any, node: Widget) -> None:
    """Close what `visit` opened."""
    translator.body.append("</figcaption></figure>\n")


def mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Let a keyboard scroll wide code, and give the captions of contents the level that a heading needs."""
    for part in ("body", "furo_navigation_tree"):
        html = context.get(part) or ""
        html = html.replace('class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"')
        context[part] = html.replace("<pre>", '<pre tabindex="0">')


def setup(app: Sphinx) -> dict[str, Any]:
    """Register all of it with Sphinx."""
    app.add_node(Widget, html=(visit, depart))
    app.add_role("result", ResultRole())
    app.add_role("parameter", ParameterRole())
    app.add_directive("widget", WidgetDirective)
    app.add_directive("verdict", VerdictDirective)
    app.connect("html-page-context", mend, priority=900)  # after the theme's own
    return {"parallel_read_safe": True, "parallel_write_safe": True}

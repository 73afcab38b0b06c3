"""The notes' claims with what was measured of each: predict first, then see.

The Chinese texts, in verdicts_zh.json, stand beside the English ones that they translate: where a result says something
else by now, the page shows the English.
"""

import importlib
import inspect
import re
from collections import Counter
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from notes.book.pictures import png, reduced
from notes.book.verdict_tables import LOOKUPS, look_up
from notes.figures.canvas import BLUE, GREY, VERMILION, canvas, styled
from notes.files import read_json, read_values

CHINESE = Path(__file__).with_name("verdicts_zh.json")
OUTCOMES = {"holds": "holds", "fails": "fails"}  # every other verdict depends
PICTURE_WIDTH = 800
# What a study's rule compares its effect with, and whether the scale is logarithmic. Other rules do not judge by it.
THRESHOLDS: dict[str, tuple[float, bool]] = {
    "back_propagation": (1e-6, True),
    "batch_memory": (1.0, False),
    "calibration": (3.0, False),
    "capacity": (0.0, False),
    "clearing_gradients": (2.0, True),
    "closed_form": (1e-4, True),
    "dead_relu": (0.0, False),
    "differentiable": (0.0, False),
    "exploding_gradients": (10.0, True),
    "higher_dimension": (99.0, False),
    "linear_collapse": (0.0, False),
    "loss_choice": (1.0, True),
    "mini_batches": (1.0, True),
    "polynomial_degree": (1.0, True),
    "relu_speed": (1.0, True),
    "shuffling": (0.0, False),
    "sigmoid_softmax": (1e-6, True),
    "softmax_probabilities": (1e-6, True),
    "squared_error_measure": (0.0, False),
    "tensors": (100.0, True),
    "training_lowers_loss": (10.0, False),
    "vanishing_gradients": (2.0, False),
    "zero_centred": (1.0, True),
}
NUMBER = re.compile(r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
SEEDS = re.compile(r"(?:^|, )(.+?) in (\d+) of (\d+)(?=, |$)")


def compute(root: Path) -> dict[str, Any]:
    """Return the claims, in the notes' order, a reduced picture of each study, and the picture of all verdicts."""
    chinese = read_json(CHINESE)
    found = root / "results/study"
    studies = {name: read_json(found / name / "verdict.json") for name in chinese["studies"]}
    order = sorted(studies, key=lambda name: (studies[name]["notes"], name))
    data = [
        described(name, studies[name], chinese)
        | {"lookup": look_up(LOOKUPS[name], read_values(found / name / "table.csv")) if name in LOOKUPS else None}
        for name in order
    ]
    pictures = {f"{name}.png": (root / f"results/draw_studies/{name}.png").read_bytes() for name in order}
    small = {name: reduced(content, PICTURE_WIDTH) for name, content in pictures.items()}
    outcomes = Counter(study["outcome"] for study in data)
    return {"data.json": {"studies": data}, "picture.png": png(draw(outcomes))} | small


def described(name: str, verdict: dict[str, Any], chinese: dict[str, Any]) -> dict[str, Any]:
    """Return a study's texts in both languages, its outcome (holds, fails, depends), and its effect with interval.

    Chinese readers also get the caption of a picture whose own texts are English.
    """
    texts = chinese["studies"][name]
    threshold, logarithmic = THRESHOLDS.get(name, (None, False))
    return {
        "name": name,
        "outcome": OUTCOMES.get(verdict["text"], "depends"),
        "section": {"en": verdict["notes"], "zh": sections(verdict["notes"], chinese["sections"])},
        "verdict": {"en": verdict["text"], "zh": chinese["verdicts"].get(verdict["text"], verdict["text"])},
        "seeds": {"en": verdict["seeds"], "zh": seeds(verdict["seeds"], chinese["verdicts"])},
        "finding": {"en": verdict["finding"], "zh": finding(texts["finding"], verdict["finding"])},
        "picture": {"en": None, "zh": caption(name, texts["picture"])},
        "threshold": threshold,
        "logarithmic": logarithmic,
        **{
            part: {"en": verdict[part], "zh": translated(texts[part], verdict[part])}
            for part in ("claim", "effect", "rule")
        },
        **{end: float(f"{verdict[end]:.6g}") for end in ("value", "low", "high")},
    }


def translated(text: dict[str, str], english: str) -> str:
    """Return the Chinese for an English text, or the English, if it is not the one that was translated."""
    return text["zh"] if text["en"] == english else english


def finding(text: dict[str, str], english: str) -> str | None:
    """Return the Chinese for a sentence with its numbers, or None where it is not the one that was translated.

    `text` has # for each number in English, and in Chinese the places of the numbers: {0}, {1}, …
    """
    return text["zh"].format(*NUMBER.findall(english)) if NUMBER.sub("#", english) == text["en"] else None


def caption(name: str, text: dict[str, str]) -> str | None:
    """Return what a study's picture shows, in Chinese, or None where its function says something else by now."""
    said = inspect.getdoc(importlib.import_module(f"notes.figures.studies.{name}").draw) or ""
    return text["zh"] if said.partition("\n")[0] == text["en"] else None


def sections(notes: str, names: dict[str, str]) -> str:
    """Return the Chinese names of the sections, which their numbers tell."""
    return "、".join(names[section[0]] for section in notes.split("; "))


def seeds(english: str, verdicts: dict[str, str]) -> str:
    """Return "holds in 4 of 5, fails in 1 of 5" in Chinese."""
    parts = SEEDS.findall(english)
    return "；".join(f"{total} 个种子中有 {count} 个：{verdicts.get(text, text)}" for text, count, total in parts)  # noqa: RUF001


@styled
def draw(outcomes: Counter[str]) -> Figure:
    """Show how many claims hold, depend and fail."""
    title = f"{outcomes.total()} claims of the notes, each one measured"
    figure, (axes,) = canvas(title, width=8, height=2.6)
    names = {"holds": ("holds", BLUE), "depends": ("it depends", GREY), "fails": ("fails", VERMILION)}
    labels, colours = zip(*names.values(), strict=True)
    bars = axes.barh(labels, [outcomes[name] for name in names], color=colours)
    axes.bar_label(bars, padding=4)
    axes.invert_yaxis()
    axes.set(xlabel="claims")
    return figure

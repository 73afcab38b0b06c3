"""docs/images/performance.png: what was measured, a panel a section."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from notes.figures.canvas import BLUE, GREEN, GREY, ORANGE, PALE, SKY, STYLE, canvas, styled
from notes.files import atomic_path

Measurement = Mapping[str, Any]
LOOPS = {"provenn": "notes", "scikit-learn": "scikit-learn", "textbook": "textbook\nDataLoader"}
NETWORKS = {"784-128-64-10, batch 64": "128-64\nbatch 64", "784-512-512-10, batch 512": "512-512\nbatch 512"}
RUNNERS = {"cold": (GREY, "s"), "nothing to do": (SKY, "o"), "one source changed": (BLUE, "^")}
RUNTIMES = {"ONNX Runtime": (BLUE, "o"), "torch": (ORANGE, "s"), "scikit-learn": (GREEN, "^")}


def write(results: Mapping[str, Any], path: Path) -> None:
    """Draw the figure and write it; the file names the numbers that it was drawn from."""
    figure = draw(results)
    with matplotlib.rc_context(STYLE), atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None, "Description": fingerprint(results)})


def shows(path: Path, results: Mapping[str, Any]) -> bool:
    """Say whether the file is a figure that was drawn from these results."""
    return path.is_file() and fingerprint(results).encode() in path.read_bytes()


def fingerprint(results: Mapping[str, Any]) -> str:
    """Return the digest of the results that a figure carries."""
    return hashlib.sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()


@styled
def draw(results: Mapping[str, Any]) -> Figure:
    """Return the figure; a section that was not measured leaves its panel out."""
    panels = {
        "engine": (draw_loops, draw_shares, draw_rival),
        "precision": (draw_precision,),
        "scale": (draw_scale,),
        "inference": (draw_inference,),
        "pipeline": (draw_pipeline,),
        "runners": (draw_runners,),
        "growth": (draw_growth,),
    }
    chosen = [
        (panel, results[name]["result"]) for name, functions in panels.items() if name in results for panel in functions
    ]
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    title = "What was measured: medians, with the lowest and the highest round; training and inference on one thread"
    figure, axes = canvas(title, rows=rows, columns=columns, width=4.1 * columns, height=0.4 + 3.1 * rows)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    for (panel, result), place in zip(chosen, axes, strict=False):
        panel(result, place)
    for place in axes[len(chosen) :]:
        place.set_axis_off()
    return figure


def draw_loops(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw images/s of the three training loops as bars."""
    speeds = [result["speeds"][name] for name in LOOPS]
    thousands = [speed["median"] / 1e3 for speed in speeds]
    axes.bar(list(LOOPS.values()), thousands, width=0.6, color=[BLUE, ORANGE, GREY])
    axes.errorbar(range(len(LOOPS)), thousands, yerr=_reach(speeds, 1e-3), fmt="none", ecolor="black", capsize=4)
    for place, speed in enumerate(speeds):
        axes.text(place, speed["high"] / 1e3, f"{speed['median'] / 1e3:.3g}", ha="center", va="bottom")
    axes.set_ylim(0, 1.12 * max(speed["high"] for speed in speeds) / 1e3)
    axes.grid(visible=False, axis="x")
    axes.set(title="Training 784-128-64-10", ylabel="thousand images/s")


def draw_shares(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw a training step's time as what its matrix products take at the peak, what they take longer, and the rest."""
    profiles = [result["profiles"][name] for name in NETWORKS]
    whole = np.array([sum(of["parts"].values()) for of in profiles])
    at_peak, alone = (np.array([of[key] for of in profiles]) for key in ("products at the peak", "products alone"))
    parts = {
        "matrix products,\nat the peak": (at_peak, BLUE, "white"),
        "matrix products,\nbelow the peak": (np.maximum(alone - at_peak, 0), SKY, "black"),
        "all else": (whole - np.maximum(alone, at_peak), PALE, "black"),
    }
    bottom = np.zeros(len(profiles))
    for label, (values, color, ink) in parts.items():
        shares = 100 * values / whole
        axes.bar(list(NETWORKS.values()), shares, 0.7, bottom, color=color, label=label)
        for place, share in enumerate(shares):
            if share >= 4:
                axes.text(place, bottom[place] + share / 2, f"{share:.0f} %", ha="center", va="center", color=ink)
        bottom += shares
    axes.legend(loc="center left", bbox_to_anchor=(0.61, 0.5), reverse=True, fontsize=8.5, handlelength=1)
    axes.grid(visible=False, axis="x")
    axes.set(title="A training step against the peak", ylabel="share of the time, %", ylim=(0, 100), xlim=(-0.4, 2.5))


def draw_rival(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw images/s of the loop beside those of JAX, in the pipeline's numeric mode."""
    places, width = np.arange(len(result["jax"])), 0.38
    for shift, (name, label, color) in enumerate((("provenn", "notes", BLUE), ("JAX", "JAX", ORANGE))):
        speeds = [measured[name] for measured in result["jax"].values()]
        thousands = [speed["median"] / 1e3 for speed in speeds]
        at = places + (shift - 0.5) * width
        axes.bar(at, thousands, width, color=color, label=label)
        axes.errorbar(at, thousands, yerr=_reach(speeds, 1e-3), fmt="none", ecolor="black", capsize=3)
        for place, speed in zip(at, speeds, strict=True):
            axes.text(place, speed["high"] / 1e3, f"{speed['median'] / 1e3:.3g}", ha="center", va="bottom", fontsize=9)
    names = [name.removeprefix("784-").replace("-10, ", "\n") for name in result["jax"]]
    axes.set_xticks(places, names)
    axes.legend(loc="upper right", fontsize=9)
    axes.grid(visible=False, axis="x")
    axes.set(title="Training, beside JAX, with AVX2 alone", ylabel="thousand images/s")
    axes.margins(y=0.15)


def draw_precision(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw the gain of bfloat16 over the width."""
    axes.set(title="Training in bfloat16", xlabel="width of the two hidden layers", ylabel="images/s, float32 = 1")
    if "unsupported" in result:
        axes.text(0.5, 0.5, "no bfloat16 on this processor", transform=axes.transAxes, ha="center", color=GREY)
        return
    widths = [int(width) for width in result["speeds"]]
    gains = [measured["gain"] for measured in result["speeds"].values()]
    medians = [gain["median"] for gain in gains]
    axes.errorbar(widths, medians, yerr=_reach(gains), fmt="o-", color=BLUE, capsize=4, linewidth=2)
    axes.axhline(1, color=GREY, linestyle=":")
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, [f"{width}" for width in widths])
    axes.set_ylim(0, 1.15 * max(gain["high"] for gain in gains))


def draw_scale(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw images/s by where the images lie and how many they are."""
    names = list(result["speeds"])[::-1]
    speeds = [result["speeds"][name] for name in names]
    for place, (name, speed) in enumerate(zip(names, speeds, strict=True)):
        color = GREY if "memory" in name else ORANGE if "disk" in name else BLUE
        reach = _reach([speed], 1e-3)
        axes.errorbar([speed["median"] / 1e3], [place], xerr=reach, fmt="o", color=color, capsize=4, markersize=7)
        axes.text(speed["median"] / 1e3, place + 0.18, f"{speed['median'] / 1e3:.3g}", ha="center", fontsize=9)
    axes.set_yticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names])
    axes.set_ylim(-0.5, len(names) - 0.3)
    axes.set_xlim(0, 1.12 * max(speed["high"] for speed in speeds) / 1e3)
    axes.grid(visible=False, axis="y")
    axes.set(title="Training on more images", xlabel="thousand images/s")


def draw_inference(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw images/s over the batch size for each runtime."""
    lines = {name: [measured[name] for measured in result["speeds"].values()] for name in RUNTIMES}
    _draw_lines([int(size) for size in result["speeds"]], lines, RUNTIMES, axes)
    axes.legend(loc="lower right", fontsize=9)
    axes.set(title="Inference, the champion on MNIST", xlabel="batch", ylabel="images/s")


def draw_pipeline(result: Mapping[str, Any], axes: Axes) -> None:
    """Let the section draw, which alone knows what it measured."""
    import pipeline

    pipeline.draw(result, axes)


def draw_runners(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw the seconds of each runner for the most stages that were measured, cold, unchanged and changed."""
    count, measured = max(result.items(), key=lambda item: int(item[0]))
    names = list(measured["cold"])[::-1]
    for label, (color, marker) in RUNNERS.items():
        times = measured[{"nothing to do": "nothing", "one source changed": "change"}.get(label, label)]
        medians = [times[name]["median"] for name in names]
        axes.plot(medians, range(len(names)), marker, color=color, label=label, markersize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(names)), ["DVC" if name == "dvc" else name for name in names])
    axes.set_ylim(-0.6, len(names) + 0.2)
    axes.legend(loc="upper left", fontsize=8, ncols=3, columnspacing=0.6, handletextpad=0.1, borderpad=0.2)
    axes.set(title=f"{count} stages that copy a file", xlabel="seconds")


def draw_growth(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw the seconds of a repro with nothing to do over the number of stages."""
    lines = {f"{name} repro": [of[name] for of in result["nothing"].values()] for name in ("dvc", "provenn")}
    styles = {"dvc repro": (ORANGE, "s"), "provenn repro": (BLUE, "o")}
    _draw_lines([int(count) for count in result["nothing"]], lines, styles, axes)
    axes.legend(loc="upper left", fontsize=9)
    axes.set(title="Nothing to do", xlabel="stages", ylabel="seconds")


def _draw_lines(
    places: list[int], lines: Mapping[str, list[Measurement]], styles: Mapping[str, tuple[str, str]], axes: Axes
) -> None:
    """Draw measurements over sizes, each line in its colour and with its marker, both axes logarithmic."""
    for name, measured in lines.items():
        color, marker = styles[name]
        medians = [one["median"] for one in measured]
        axes.errorbar(
            places, medians, yerr=_reach(measured), fmt=f"{marker}-", color=color, capsize=3, linewidth=2, label=name
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,.9g}")
    axes.set_xticks(places, [f"{place:,}" for place in places], minor=False)
    axes.set_xticks([], minor=True)


def _reach(measured: list[Measurement], factor: float = 1.0) -> np.ndarray:
    below = [factor * (one["median"] - one["low"]) for one in measured]
    above = [factor * (one["high"] - one["median"]) for one in measured]
    return np.array([below, above])

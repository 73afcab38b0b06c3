"""The figure of the study calibration."""

import numpy as np
from matplotlib.figure import Figure

from notes.figures.canvas import GREY, canvas, legend_below, series, styled
from notes.studies.shared.base import Row, Verdict, column, rows_where


@styled
def draw(rows: list[Row], verdict: Verdict) -> Figure:
    """Draw how often the networks are right over what they say (left), and their calibration error (right)."""
    figure, (reliability, error) = canvas(verdict.finding, columns=2, width=8, height=4.8)
    reliability.plot([0, 100], [0, 100], color=GREY, linestyle="--", label="as often as it says")
    lengths = sorted({row["epochs"] for row in rows})
    for index, (epochs, (color, marker)) in enumerate(series({f"{length}": 0 for length in lengths}).items()):
        found = rows_where(rows, kind="bin", epochs=lengths[index])
        said, right = [], []
        for one in sorted({row["bin"] for row in found}):
            sizes = column(found, "size", bin=one)
            said.append(np.average(column(found, "confidence", bin=one), weights=sizes))
            right.append(np.average(column(found, "accuracy", bin=one), weights=sizes))
        reliability.plot(said, right, color=color, marker=marker, label=f"after {epochs} epochs")
        networks = rows_where(rows, kind="network", epochs=lengths[index])
        for shift, name, face in ((-0.12, "error_by_chance", "none"), (0.12, "error", color)):
            values = column(networks, name)
            places = index + shift + np.linspace(-0.08, 0.08, len(values))
            error.scatter(places, values, s=18, marker=marker, edgecolors=color, facecolors=face)
    reliability.set(
        xlabel="probability of the most probable digit (%)", ylabel="right (%)", xlim=(0, 102), ylim=(0, 102)
    )
    error.set_ylabel("expected calibration error (percentage points)")
    error.set_xlabel("epochs (hollow: what chance alone would show)")
    error.set_xticks(range(len(lengths)), [f"{length}" for length in lengths])
    error.set_ylim(bottom=0)
    legend_below(figure, reliability)
    return figure

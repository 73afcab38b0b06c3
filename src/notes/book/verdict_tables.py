"""What a reader may look up in the studies' tables: which columns are axes, which are measured, row by row declared."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from notes.studies.shared.base import Row, choosing, judging, rows_where

Name = tuple[str, str]  # English, Chinese


@dataclass(frozen=True)
class Axis:
    """A column that the reader sets; `values` names those that are words, in the order shown."""

    column: str
    name: Name
    values: dict[str, Name] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """A column that was measured, on a logarithmic scale if its values span decades."""

    column: str
    name: Name
    logarithmic: bool = False


@dataclass(frozen=True)
class Lookup:
    """Axes, the first of which is drawn, and measures of the rows in which `where` is so.

    `half` keeps the repetitions that the study's own numbers are of, or those that ran with every value of the axes.
    """

    axes: tuple[Axis, ...]
    measures: tuple[Measure, ...]
    where: dict[str, Any] = field(default_factory=dict)
    half: Callable[[Iterable[Row]], list[Row]] = list


RATE = Axis("learning_rate", ("learning rate", "学习率"))
ACTIVATION = Axis(
    "activation",
    ("activation", "激活函数"),
    {"sigmoid": ("sigmoid", "Sigmoid"), "tanh": ("tanh", "Tanh"), "relu": ("ReLU", "ReLU")},
)
START = Axis(
    "start",
    ("start", "初始化"),
    {"he_xavier": ("He / Xavier", "He / Xavier"), "standard": ("PyTorch's own", "PyTorch 默认")},
)
LOOKUPS = {
    "capacity": Lookup(
        (Axis("width", ("units a layer", "每层单元数")), Axis("depth", ("hidden layers", "隐藏层数"))),
        (
            Measure("validation_error", ("validation error, %", "验证误差百分比")),
            Measure("train_error", ("training error, %", "训练误差百分比")),
        ),
        half=judging,
    ),
    "polynomial_degree": Lookup(
        (Axis("degree", ("degree", "次数")),),
        (
            Measure("validation_rmse", ("validation RMSE", "验证 RMSE"), logarithmic=True),
            Measure("train_rmse", ("training RMSE", "训练 RMSE"), logarithmic=True),
        ),
        where={"kind": "error"},
    ),
    "vanishing_gradients": Lookup(
        (Axis("depth", ("layers", "层数")), ACTIVATION, START),
        (Measure("gradient_norm", ("gradient of the first layer", "第一层的梯度"), logarithmic=True),),
        where={"part": "depth", "layer": 1},
    ),
    "mini_batches": Lookup(
        (RATE, Axis("batch_size", ("batch size", "批大小"))),
        (Measure("samples", ("samples to the target", "达到目标所用样本数"), logarithmic=True),),
        half=choosing,
    ),
    "relu_speed": Lookup(
        (
            RATE,
            Axis("activation", ACTIVATION.name, {name: ACTIVATION.values[name] for name in ("sigmoid", "relu")}),
            Axis("depth", ("hidden layers", "隐藏层数")),
        ),
        (Measure("loss", ("training loss after 5 epochs", "5 轮后的训练损失"), logarithmic=True),),
        where={"epoch": 5},
        half=judging,
    ),
    "training_lowers_loss": Lookup(
        (RATE,),
        (
            Measure("steps", ("steps that raise the loss, %", "使损失上升的步数百分比")),
            Measure("epochs", ("epochs that raise it, %", "使损失上升的轮数百分比")),
        ),
        where={"kind": "raised"},
    ),
    "closed_form": Lookup(
        (Axis("condition_number", ("condition number", "条件数")),),
        (Measure("iterations", ("iterations of descent", "梯度下降迭代次数"), logarithmic=True),),
    ),
}


def look_up(lookup: Lookup, rows: Sequence[Row]) -> dict[str, Any]:
    """Return axes with their values, and measures with a cell (mean, 10th and 90th percentile, rows) for each of these.

    Cells are in the order of the axes' product, the last axis fastest; a mean on a logarithmic scale is geometric.
    """
    kept = rows_where(lookup.half(rows), **lookup.where)
    values = [list(axis.values) or sorted({row[axis.column] for row in kept}) for axis in lookup.axes]
    columns = [axis.column for axis in lookup.axes]
    cells: dict[tuple[Any, ...], list[Row]] = {}
    for row in kept:
        cells.setdefault(tuple(row[name] for name in columns), []).append(row)
    points = list(itertools.product(*values))
    return {
        "axes": [
            {"name": _both(axis.name), "values": known, "names": [_both(name) for name in axis.values.values()]}
            for axis, known in zip(lookup.axes, values, strict=True)
        ],
        "measures": [
            {
                "name": _both(measure.name),
                "logarithmic": measure.logarithmic,
                "cells": [_summary([row[measure.column] for row in cells[point]], measure) for point in points],
            }
            for measure in lookup.measures
        ],
    }


def _summary(values: Sequence[float], measure: Measure) -> list[float]:
    numbers = np.array(values, dtype=np.float64)
    mean = np.exp(np.log(numbers).mean()) if measure.logarithmic else numbers.mean()
    low, high = np.quantile(numbers, [0.1, 0.9])
    return [*(float(f"{value:.5g}") for value in (mean, low, high)), len(numbers)]


def _both(name: Name) -> dict[str, str]:
    return dict(zip(("en", "zh"), name, strict=True))

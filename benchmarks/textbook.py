"""MNIST as most tutorials read it: torchvision's `datasets.MNIST`, over the files that the pipeline downloaded."""

import tempfile
from pathlib import Path
from typing import Any

import torch


def torchvision_mnist(raw: Path, *, train: bool = True, normalised: bool = True) -> Any:
    """Return torchvision's training or test set over a folder of IDX files, its pictures as `ToTensor` gives them."""
    # A torchvision built for CUDA beside a torch for the CPU misses these two operators and fails to import.
    for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                   "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):  # fmt: skip
        if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
            torch.library.define(f"torchvision::{schema.partition('(')[0]}", schema[schema.index("(") :])
    from torchvision import datasets, transforms

    steps = [transforms.ToTensor(), *([transforms.Normalize((0.1307,), (0.3081,))] if normalised else [])]
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "MNIST" / "raw"
        link.parent.mkdir()
        link.symlink_to(raw.resolve(), target_is_directory=True)
        return datasets.MNIST(folder, train=train, download=False, transform=transforms.Compose(steps))

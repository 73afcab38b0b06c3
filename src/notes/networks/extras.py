"""What the loop of `mlp` can use beyond a textbook's: schedule, weight averaging, bfloat16, noise; and its checks.

The schedule and the average follow every step of the optimizer, so that the loop calls `optimizer.step()` and no more.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from notes.files import UserError


class GaussianNoise(nn.Module):
    """Adds Gaussian noise of a standard deviation, drawn from torch's global generator; in `eval` mode nothing."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.deviation * torch.randn_like(inputs) if self.training else inputs

    def extra_repr(self) -> str:
        return f"deviation={self.deviation}"


def make_optimizer(
    network: nn.Module, name: str, learning_rate: float, weight_decay: float = 0.0, momentum: float = 0.0
) -> torch.optim.Optimizer:
    """Return Adam (`adam`), or SGD with momentum (`sgd`).

    `weight_decay` λ adds λ/2 · ‖W‖² of the weight matrices to the loss; biases and batch normalisation have none, as in
    scikit-learn (Goodfellow et al. 2016, Deep Learning, section 7.1).
    """
    matrices = [values for values in network.parameters() if values.ndim > 1]
    others = [values for values in network.parameters() if values.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices, "weight_decay": weight_decay}, {"params": others}]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, fused=True)
    return torch.optim.Adam(groups, lr=learning_rate, fused=True)


def follow_one_cycle(optimizer: torch.optim.Optimizer, learning_rate: float, steps: int) -> None:
    """Let the optimizer's learning rate rise to `learning_rate` and fall to almost nothing in `steps` (Smith, 2018)."""
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=steps, cycle_momentum=False
    )
    optimizer.register_step_post_hook(lambda *_: schedule.step())


def average_weights(network: nn.Module, optimizer: torch.optim.Optimizer, decay: float) -> nn.Module:
    """Return a network whose weights and batch statistics are the moving average over the optimizer's steps."""
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    optimizer.register_step_post_hook(lambda *_: average.update_parameters(network))
    return average.module


def in_bfloat16(network: nn.Module, device: str) -> Callable[[Tensor], Tensor]:
    """Return the network's forward pass with its matrix products in bfloat16 and float32 logits."""
    forward = torch.autocast(device, torch.bfloat16)(network.__call__)
    return lambda inputs: forward(inputs).float()


def require_batches(network: nn.Module, samples: int, batch_size: int) -> None:
    """Raise UserError for a batch larger than the data, and for a last batch too small for batch normalisation."""
    if batch_size > samples:
        raise UserError(f"batch_size is {batch_size}, but there are only {samples} training samples: lower it.")
    if samples % batch_size == 1 and any(isinstance(layer, nn.BatchNorm1d) for layer in network.modules()):
        raise UserError(
            f"batch_norm needs 2 samples a batch, but batch_size {batch_size} leaves 1 of the "
            f"{samples} training samples for the last batch: change batch_size."
        )

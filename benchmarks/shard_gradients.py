"""The gradient of a batch from several processes: summed in one order, so that their number does not change a bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor

from notes.files import UserError
from notes.networks.losses import Criterion
from notes.networks.mlp import Mlp
from notes.networks.steps import write_out


@dataclass(frozen=True)
class Worker:
    """One of `count` processes, and the shards that are its own."""

    number: int
    count: int
    shards: range

    @classmethod
    def of(cls, number: int, count: int, shards: int) -> "Worker":
        """Return worker `number`; raise UserError unless `count` divides the number of shards."""
        if shards < 1 or shards % count:
            raise UserError(f"{shards} shards cannot be dealt to {count} workers: let the workers divide --shards.")
        return cls(number, count, range(number * shards // count, (number + 1) * shards // count))

    def gather(self, values: Tensor) -> list[Tensor]:
        """Return the tensors of all workers, in their order; raise UserError when one of them is gone."""
        if self.count == 1:
            return [values]
        gathered = [torch.empty_like(values) for _ in range(self.count)]
        try:
            dist.all_gather(gathered, values)
        except RuntimeError as error:
            reason = str(error).partition(". ")[0]
            raise UserError(f"another worker is gone ({reason}): start all again.") from None
        return gathered

    def require_same(self, values: Tensor, what: str) -> None:
        """Raise UserError with the sentence `what` unless all workers have the same bits."""
        if not all(torch.equal(values.view(torch.uint8), others.view(torch.uint8)) for others in self.gather(values)):
            raise UserError(what)


def tree_sum(parts: Sequence[Tensor]) -> Tensor:
    """Return the sum of equal shapes: of neighbours, of neighbouring sums, and so on; an odd last one moves up."""
    while len(parts) > 1:
        pairs = [left + right for left, right in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, *parts[len(pairs) * 2 :]]
    return parts[0]


def sum_of_all(own: Sequence[Tensor], worker: Worker) -> Tensor:
    """Return the `tree_sum` of the parts of all workers, of which this one has `own`."""
    branch = len(own) & -len(own)  # the largest power of two that divides it: whole branches of the tree
    branches = torch.stack([tree_sum(own[start : start + branch]) for start in range(0, len(own), branch)])
    return tree_sum(torch.cat(worker.gather(branches)).unbind())


class ShardGradients:
    """The mean loss of a batch and its gradient, which is left in the parameters' `grad`, from all workers' shards."""

    def __init__(self, network: Mlp, criterion: Criterion, shards: int, worker: Worker) -> None:
        self.parameters, self.shards, self.worker = list(network.parameters()), shards, worker
        moves_nothing = cast(torch.optim.Optimizer, SimpleNamespace(step=lambda: None))
        step = write_out(network, criterion, moves_nothing)
        assert step
        self.step = step

    def __call__(self, batches: Sequence[tuple[Tensor, Tensor]]) -> float:
        """Take inputs (n, 784) and labels (n,) of each of this worker's shards, n the same for all shards."""
        own = []
        for inputs, labels in batches:
            loss, _ = self.step(inputs, labels)
            own.append(torch.cat([loss.view(1), *(slope.flatten() for slope in self._slopes())]))
        loss, mean = (sum_of_all(own, self.worker) / self.shards).split([1, len(own[0]) - 1])
        means = mean.split([values.numel() for values in self.parameters])
        for slope, whole in zip(self._slopes(), means, strict=True):
            slope.copy_(whole.view_as(slope))
        return float(loss)

    def _slopes(self) -> list[Tensor]:
        return [values.grad for values in self.parameters if values.grad is not None]

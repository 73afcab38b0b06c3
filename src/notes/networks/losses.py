"""What a network's logits are measured by: the losses that training lowers, and the accuracy that it reports.

Sections 7 and 8 of the notes.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional

Criterion = Callable[[Tensor, Tensor], Tensor]  # logits (n, outputs) and labels (n,) in, a scalar out


def make_criterion(loss: str | Criterion, label_smoothing: float = 0.0) -> Criterion:
    """Return the loss; label smoothing (Szegedy et al., 2016) is for training."""
    if not isinstance(loss, str):
        return loss
    if loss == "log_loss":
        return log_loss
    return partial(functional.cross_entropy, label_smoothing=label_smoothing)


def log_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of logits (n, 1) for labels 0 and 1 (n,)."""
    return functional.binary_cross_entropy_with_logits(logits.squeeze(1), labels.to(logits.dtype))


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of rows whose largest logit is that of their label (n,); one logit is that of class 1 of two."""
    predicted = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)
    return (predicted == labels).double().mean().item()

"""A linear layer that gives the same bits on every processor, where the numeric mode asks for it.

It is `nn.Linear`; only the three products, forward and backward, go through NumPy, whose OpenBLAS can be held to one
set of instructions and is as fast as MKL, which can not.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from notes.numeric import is_portable

PORTABLE = is_portable()


class Linear(nn.Linear):
    """Map (n, inputs) to (n, outputs): inputs · weightᵀ + bias."""

    def forward(self, inputs: Tensor) -> Tensor:
        elsewhere = inputs.device.type != "cpu" or torch.is_autocast_enabled("cpu") or torch.compiler.is_exporting()
        if not PORTABLE or elsewhere:
            return super().forward(inputs)
        outputs: Tensor = Product.apply(inputs, self.weight)  # type: ignore[no-untyped-call]
        return outputs if self.bias is None else outputs.add_(self.bias)


class Product(torch.autograd.Function):
    """inputs (n, d) · weightᵀ, weight (outputs, d), with the gradients of both."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return torch.from_numpy(inputs.detach().numpy() @ weight.detach().numpy().T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        slope = gradient.numpy()
        of_inputs = torch.from_numpy(slope @ weight.detach().numpy()) if ctx.needs_input_grad[0] else None
        of_weight = torch.from_numpy(slope.T @ inputs.detach().numpy()) if ctx.needs_input_grad[1] else None
        return of_inputs, of_weight

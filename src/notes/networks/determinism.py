"""What makes torch repeat itself, and the device it computes on."""

import os

import torch

from notes.files import UserError


def _leave_out_compiler() -> None:
    """Keep optimizers from importing torch's compiler, more than a second in a process, just to tell it to stay out.

    Nothing here is compiled. Their methods are what the compiler would leave them as, and a step is one without
    gradients, as it is with `differentiable=False`. Classes that are in use already stay as they are.
    """
    for method in vars(torch.optim.Optimizer).values():
        if (plain := getattr(method, "__wrapped__", None)) is not None:
            setattr(plain, "__dynamo_disable", plain)  # what torch._compile keeps
    for kind in (torch.optim.SGD, torch.optim.Adam):
        if not hasattr(kind.step, "hooked"):
            kind.step = torch.no_grad()(kind.step.__wrapped__)  # type: ignore[method-assign,union-attr]


_leave_out_compiler()


def make_deterministic(seed: int, threads: int = 1) -> None:
    """Make torch repeat itself bit for bit on this machine: fixed threads, deterministic kernels, no denormals.

    The seed is that of torch's global generator, which dropout and Gaussian noise draw from; all else takes its own.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    # As torch.use_deterministic_algorithms(True), but that imports torch's compiler too: a second in every process.
    torch.set_deterministic_debug_mode("error")
    torch.set_flush_denormal(True)


def require_device(device: str) -> None:
    """Raise UserError when `cuda` is asked for and there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device is cuda, but torch finds no CUDA device here: set device: cpu.")
    # cuBLAS repeats itself only with a fixed workspace.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def require_precision(precision: str, device: str) -> None:
    """Raise UserError when `bfloat16` is asked of a CPU that has no instructions for it: it would only be slower."""
    if precision != "bfloat16" or device != "cpu":
        return
    capabilities = torch.cpu.get_capabilities()
    if not any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")):
        raise UserError("precision is bfloat16, but this CPU has no bfloat16 instructions: set precision: float32.")

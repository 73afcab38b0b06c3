"""The pipeline's numeric mode: which instructions its libraries may use. Standard library alone, for it comes first.

A sum has other last bits in another order, and libraries choose the order by processor: MKL, which torch multiplies
with, by vendor; OpenBLAS, NumPy's and SciPy's, by core; torch and NumPy themselves by the widest vector instructions.
Training amplifies that. In the mode `portable` every one of them is held to what all x86-64 processors with AVX2 have,
and MKL to kernels that are equal everywhere. Those are slow, so `networks.linear` multiplies with NumPy's OpenBLAS.
Four of torch's functions stay MKL's own on each vendor's processors, whatever it is told: sqrt, log, log2 and atan of
tensors, and with them torch.linalg and optimizers that are not `fused`. Stages use rsqrt, NumPy and fused optimizers.
In the mode `native` each library does what it thinks best on this processor.
"""

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

MODES = ("portable", "native")
PLATFORM = "NUMERIC_PLATFORM"  # in the environment: what bits depend on; a run's tag `numeric.platform` shows it
PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}


def set_up(mode: str) -> None:
    """Set the environment for a mode; in vain once NumPy or torch is loaded."""
    os.environ[PLATFORM] = name = numeric_platform(mode)
    if name.startswith("portable"):
        os.environ.update(PORTABLE)


def numeric_platform(mode: str) -> str:
    """Return on what the bits depend in a mode on this machine: `portable AVX2`, or the processor's vendor and set.

    Where a processor lacks what `portable` asks for, it is the same as `native`.
    """
    instructions = instruction_sets()
    if mode == "portable" and sys.platform == "linux" and "avx2" in instructions and "fma" in instructions:
        return "portable AVX2"
    widest = next((name for name in ("avx512f", "avx2", "asimd") if name in instructions), "baseline")
    return " ".join([*_vendor(), widest.upper()])


def is_portable() -> bool:
    """Return whether this process was set up to give the same bits on every x86-64 processor with AVX2."""
    return os.environ.get(PLATFORM, "").startswith("portable")


def instruction_sets() -> set[str]:
    """Return the names of this processor's instruction sets, as far as the system tells."""
    with suppress(OSError):
        return set(Path("/proc/cpuinfo").read_text().split())
    return set()


def _vendor() -> list[str]:
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return [line.partition(": ")[2] for line in lines if line.startswith("vendor_id")][:1]
    return [platform.machine()]

"""The same training in JAX, the fastest rival known: an epoch is one compiled scan over its batches.

Run by `engine` with an environment of its own: `python jax_loop.py SIZES BATCH EPOCHS IMAGES LABELS` prints
images/s, without compiling, on one core and with AVX2 alone. The two files are the arrays to learn.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

LEARNING_RATE, FIRST, SECOND, EPSILON = 0.001, 0.9, 0.999, 1e-8


def make_epoch(inputs: Any, labels: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return an epoch: state and rows (steps, batch) in, state and losses out; Adam as torch's."""
    import jax
    from jax import numpy as jnp

    def loss(layers: Any, rows: Any) -> Any:
        outputs = inputs[rows]
        for weight, bias in layers[:-1]:
            outputs = jax.nn.relu(outputs @ weight + bias)
        log_probabilities = jax.nn.log_softmax(outputs @ layers[-1][0] + layers[-1][1])
        return -jnp.take_along_axis(log_probabilities, labels[rows][:, None], 1).mean()

    def step(state: Any, rows: Any) -> tuple[Any, Any]:
        layers, means, squares, count = state
        value, slopes = jax.value_and_grad(loss)(layers, rows)
        count = count + 1
        means = jax.tree.map(lambda mean, slope: FIRST * mean + (1 - FIRST) * slope, means, slopes)
        squares = jax.tree.map(lambda square, slope: SECOND * square + (1 - SECOND) * slope**2, squares, slopes)
        rate = LEARNING_RATE / (1 - FIRST**count)
        correction = jnp.sqrt(1 - SECOND**count)
        layers = jax.tree.map(
            lambda values, mean, square: values - rate * mean / (jnp.sqrt(square) / correction + EPSILON),
            layers,
            means,
            squares,
        )
        return (layers, means, squares, count), value

    epoch: Callable[[Any, Any], tuple[Any, Any]] = jax.jit(lambda state, order: jax.lax.scan(step, state, order))
    return epoch


def main(sizes: Sequence[int], batch_size: int, epochs: int, images: str, digits: str) -> float:
    """Train for so many epochs after one that compiles; return images/s."""
    import jax
    import numpy as np
    from jax import numpy as jnp

    labels = np.load(digits)
    generator = np.random.default_rng(7)
    layers = [
        (jnp.asarray(generator.normal(0, (2 / fan_in) ** 0.5, (fan_in, fan_out)), jnp.float32), jnp.zeros(fan_out))
        for fan_in, fan_out in pairwise(sizes)
    ]
    zeros = jax.tree.map(jnp.zeros_like, layers)
    epoch = make_epoch(jnp.asarray(np.load(images)), jnp.asarray(labels))
    state: Any = (layers, zeros, zeros, jnp.float32(0))
    steps = len(labels) // batch_size  # a scan has batches of one size: what is left over is not learned
    seconds = 0.0
    for number in range(epochs + 1):
        order = jnp.asarray(generator.permutation(len(labels))[: steps * batch_size].reshape(steps, batch_size))
        started = time.perf_counter()
        state, losses = jax.block_until_ready(epoch(state, order))
        seconds += (time.perf_counter() - started) * (number > 0)
    if not float(losses[-20:].mean()) < float(losses[:20].mean()) + 1 or not np.isfinite(losses).all():
        sys.exit("JAX's training did not go down.")
    return epochs * steps * batch_size / seconds


if __name__ == "__main__":
    flags = ("--xla_cpu_multi_thread_eigen=false", "intra_op_parallelism_threads=1", "--xla_cpu_max_isa=AVX2")
    os.environ["XLA_FLAGS"] = " ".join(flags)
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"  # the products are oneDNN's, which does not ask XLA
    os.environ["JAX_PLATFORMS"] = "cpu"
    if hasattr(os, "sched_setaffinity"):  # the flags alone leave it several threads
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(main([int(size) for size in sys.argv[1].split(",")], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))

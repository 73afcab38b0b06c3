"""MNIST augmented to a set of any size on disk, and training on it without holding it in memory."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from notes.files import UserError, atomic_path, missing_file
from notes.networks.augmentation import Augmenter, Strengths

CHUNK = 1000  # images that are distorted together: the smallest part that can be made again on its own
BLOCK = 1000  # images read together, 784 kB
BLOCKS_IN_MEMORY = 60  # images are shuffled among as many blocks
IMAGES, LABELS = "images.npy", "labels.npy"


def augmented_chunk(
    images: np.ndarray, labels: np.ndarray, number: int, strengths: Strengths, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples [1000 · number, 1000 · (number + 1)) of the endless augmented set of n originals.

    Sample i is a distortion of original i mod n, and the first n are the originals. `images` is (n, 28, 28) uint8,
    `labels` (n,). It depends on the arguments alone, not on what was made before.
    """
    chosen = np.arange(CHUNK * number, CHUNK * (number + 1)) % len(labels)
    originals = images[chosen]
    if CHUNK * (number + 1) <= len(labels):
        return originals, labels[chosen]
    state = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(state[0]) >> 1)
    pixels = torch.from_numpy(originals).view(CHUNK, -1).float() / 255
    distorted = (Augmenter(strengths, generator)(pixels) * 255).round().byte()
    return distorted.view(CHUNK, 28, 28).numpy(), labels[chosen]


def make_augmented_set(
    folder: Path,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    size: int,
    strengths: Strengths,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write the first `size` samples of the augmented set into `folder`; `progress` is told how many are done.

    Raises UserError unless the size, and the number of originals, are multiples of 1000.
    """
    if size < CHUNK or size % CHUNK or len(labels) % CHUNK:
        raise UserError(f"the augmented set is made {CHUNK} images at a time: {size} from {len(labels)} does not fit.")
    with (
        atomic_path(folder / IMAGES) as images_path,
        atomic_path(folder / LABELS) as labels_path,
        images_path.open("wb") as images_file,
        labels_path.open("wb") as labels_file,
    ):
        _write_header(images_file, (size, 28, 28))
        _write_header(labels_file, (size,))
        for number in range(size // CHUNK):
            chunk_images, chunk_labels = augmented_chunk(images, labels, number, strengths, seed)
            images_file.write(chunk_images.tobytes())
            labels_file.write(chunk_labels.tobytes())
            progress(CHUNK * (number + 1))


class MemoryMappedImages:
    """The images and labels of a folder in batches for `train_epoch`, with only a part in memory at a time.

    Shuffled in two steps: the order of blocks of 1000 images, then the images of 60 blocks among each other. Raises
    UserError when a file is missing, truncated or of another kind.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        labels = _open(folder / LABELS)
        images = _open(folder / IMAGES)
        if images.shape != (*labels.shape, 28, 28) or {images.dtype, labels.dtype} != {np.dtype(np.uint8)}:
            raise UserError(f"{folder} does not hold bytes (n, 28, 28) with n labels: make it again.")
        self._size = len(labels)
        self._images = torch.empty(0, 784, dtype=torch.uint8)
        self._labels = torch.empty(0, dtype=torch.long)

    def __len__(self) -> int:
        return self._size

    def batches(
        self, size: int, generator: torch.Generator, shard: int = 0, shards: int = 1
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each sample once: inputs (size, 784) float32 in [0, 1] and labels (size,), the last batch smaller.

        Of several `shards`, those of one: each takes its blocks of one order, if their generators are in one state.
        One epoch at a time: the next one uses the same memory.
        """
        self._make_room(size)
        starts = (torch.randperm(-(-self._size // BLOCK), generator=generator) * BLOCK)[shard::shards]
        windows = starts.split(BLOCKS_IN_MEMORY)
        waiting = 0
        for window in windows:
            count = self._read(window.tolist(), after=waiting)
            order = torch.randperm(count, generator=generator)
            # What does not fill a batch waits, at the front, for the next window.
            full = count if window is windows[-1] else count // size * size
            for rows in order[:full].split(size):
                yield self._images.index_select(0, rows).float().div_(255), self._labels.index_select(0, rows)
            rest = order[full:]
            waiting = len(rest)
            self._images[:waiting], self._labels[:waiting] = self._images[rest], self._labels[rest]

    def _make_room(self, batch_size: int) -> None:
        # Made once: new memory for each window would cost about as much as filling it.
        room = min(BLOCKS_IN_MEMORY * BLOCK, self._size) + batch_size
        if len(self._labels) < room:
            self._images = torch.empty(room, 784, dtype=torch.uint8)
            self._labels = torch.empty(room, dtype=torch.long)

    def _read(self, starts: list[int], after: int) -> int:
        """Read the blocks that begin at `starts` to the place `after`; return where they end."""
        # Mapped anew for each window: the pages of an open map would count as this process's memory one after another.
        images, labels = _open(self.folder / IMAGES).reshape(self._size, 784), _open(self.folder / LABELS)
        kept_images, kept_labels = self._images.numpy(), self._labels.numpy()
        for start in starts:
            end = after + min(BLOCK, self._size - start)
            kept_images[after:end] = images[start : start + BLOCK]
            kept_labels[after:end] = labels[start : start + BLOCK]
            after = end
        return after


def _open(path: Path) -> np.ndarray:
    try:
        mapped: np.ndarray = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        raise missing_file(path) from None
    except (ValueError, EOFError) as error:
        raise UserError(f"{path} is not a whole .npy file ({error}): make it again.") from None
    return mapped


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})

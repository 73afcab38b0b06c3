"""Random distortions of MNIST's images, a new one for every image each time: affine and elastic, a batch at once."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 28  # pixels


class Strengths(Protocol):
    """How far an image may be distorted; zero leaves that distortion out. `Augmentation` of params.yaml is one."""

    @property
    def rotation(self) -> float:
        """Degrees to either side."""

    @property
    def scale(self) -> float:
        """Width and height by a factor of up to 1 + scale or down to its inverse, each of its own."""

    @property
    def shear(self) -> float:
        """Pixels to the side per pixel of height."""

    @property
    def translation(self) -> float:
        """Pixels in each direction."""

    @property
    def elastic_displacement(self) -> float:
        """Root mean square of each pixel's displacement along an axis, in pixels."""

    @property
    def elastic_smoothness(self) -> float:
        """Standard deviation, in pixels, of the Gaussian that smooths the field of displacements."""


class Augmenter:
    """Distorts batches of images (n, 784) with pixels in [0, 1] and zeros around them, each time by new random numbers.

    First the elastic distortion of Simard, Steinkraus & Platt (2003): independent Gaussian displacements of every
    pixel, smoothed. Then rotation, scale, shear and translation about the centre, uniform within their strengths.
    Pixels between the old ones are interpolated bilinearly.
    """

    def __init__(self, strengths: Strengths, generator: torch.Generator) -> None:
        self.strengths = strengths
        self.generator = generator
        pixels = torch.arange(SIDE) - (SIDE - 1) / 2
        self._positions = torch.stack(torch.meshgrid(pixels, pixels, indexing="xy"), dim=-1).view(1, SIDE * SIDE, 2)
        self._smoothing = _gaussian_rows(strengths.elastic_smoothness)

    def __call__(self, images: Tensor) -> Tensor:
        positions = self._positions @ self._matrices(len(images)) + self._uniform(
            self.strengths.translation, len(images), 1, 2
        )
        if self.strengths.elastic_displacement:
            positions = positions + self._displacements(len(images))
        # grid_sample counts from -1 at the centre of the first pixel to 1 at that of the last.
        grid = (positions * (2 / (SIDE - 1))).view(-1, SIDE, SIDE, 2).to(images.device)
        distorted = functional.grid_sample(images.view(-1, 1, SIDE, SIDE), grid, align_corners=True)
        return distorted.view(-1, SIDE * SIDE)

    def _matrices(self, count: int) -> Tensor:
        """Return what maps a position of the new image, a row (x, y), into the old one, (count, 2, 2)."""
        angle = torch.deg2rad(self._uniform(self.strengths.rotation, count))
        cosine, sine = torch.cos(angle), torch.sin(angle)
        rotation = torch.stack([cosine, sine, -sine, cosine], dim=1).view(-1, 2, 2)
        zoom = (1 + self.strengths.scale) ** self._uniform(1.0, count, 1, 2)
        shear = torch.eye(2).repeat(count, 1, 1)
        shear[:, 1, 0] = self._uniform(self.strengths.shear, count)
        return shear @ rotation * zoom

    def _displacements(self, count: int) -> Tensor:
        """Return the displacement of every pixel, (count, 784, 2)."""
        noise = torch.randn(count, 2, SIDE, SIDE, generator=self.generator)
        field = self._smoothing @ noise @ self._smoothing.T * self.strengths.elastic_displacement
        return field.view(count, 2, SIDE * SIDE).transpose(1, 2)

    def _uniform(self, strength: float, *shape: int) -> Tensor:
        return (torch.rand(shape, generator=self.generator) * 2 - 1) * strength


def _gaussian_rows(deviation: float) -> Tensor:
    """Return the matrix that smooths a row of pixels, (28, 28), and keeps the variance of independent noise at 1."""
    distance = torch.arange(SIDE)[:, None] - torch.arange(SIDE)[None, :]
    weights = torch.exp(-(distance**2) / (2 * deviation**2))
    return weights / weights.square().sum(dim=1, keepdim=True).sqrt()

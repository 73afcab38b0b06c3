"""Distorted images against transformations computed by scipy, numpy or by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage

from notes.networks.augmentation import Augmenter

NONE = {
    "rotation": 0.0,
    "scale": 0.0,
    "shear": 0.0,
    "translation": 0.0,
    "elastic_displacement": 0.0,
    "elastic_smoothness": 4.0,
}
CENTRE = 13.5  # pixels


def augmenter(seed=0, **strengths):
    return Augmenter(SimpleNamespace(**NONE | strengths), torch.Generator().manual_seed(seed))


def blurred_squares(count):
    """Return smooth images (count, 784) well inside their frame, so that interpolating loses little."""
    images = np.zeros((count, 28, 28), dtype=np.float32)
    images[:, 9:15, 11:20] = 1
    return torch.from_numpy(ndimage.gaussian_filter(images, (0, 2.2, 2.2))).flatten(1)


def moments(images):
    """Return the centres (n, 2) as x and y from the middle, and the covariances (n, 2, 2), of images seen as masses."""
    pictures = images.view(-1, 28, 28).double().numpy()
    pixels = np.arange(28) - CENTRE
    positions = np.stack(np.meshgrid(pixels, pixels), axis=-1).reshape(-1, 2)
    masses = pictures.reshape(len(pictures), -1)
    masses = masses / masses.sum(axis=1, keepdims=True)
    centres = masses @ positions
    deviations = positions[None] - centres[:, None]
    return centres, np.einsum("np,npi,npj->nij", masses, deviations, deviations)


def test_without_any_strength_an_image_stays_what_it_is():
    images = torch.rand(3, 784)
    assert torch.allclose(augmenter()(images), images, atol=1e-5)


def test_one_image_comes_out_differently_each_time_and_the_same_for_the_same_seed():
    images = torch.rand(1, 784).repeat(4, 1)
    strengths = {"rotation": 10.0, "elastic_displacement": 1.0}
    first = augmenter(**strengths)(images)
    assert len({tuple(image.tolist()) for image in first}) == 4
    assert torch.equal(augmenter(**strengths)(images), first)
    assert not torch.equal(augmenter(seed=1, **strengths)(images), first)


@pytest.mark.parametrize(("strength", "largest"), [("rotation", 30.0), ("translation", 3.0), ("scale", 0.25)])
def test_a_strength_is_reached_and_not_exceeded(strength, largest):
    images = blurred_squares(400)
    before_centres, before = moments(images)
    centres, after = moments(augmenter(**{strength: largest})(images))
    if strength == "translation":
        changes = (centres - before_centres).flatten()
    elif strength == "scale":
        changes = np.log(np.sqrt(after[:, [0, 1], [0, 1]] / before[:, [0, 1], [0, 1]])).flatten()
        largest = np.log(1 + largest)
    else:
        start, end = (np.arctan2(centre[:, 1], centre[:, 0]) for centre in (before_centres, centres))
        changes = np.rad2deg((end - start + np.pi) % (2 * np.pi) - np.pi)
    assert np.abs(changes).max() <= largest * 1.05
    assert changes.max() > 0.9 * largest
    assert changes.min() < -0.9 * largest


def test_shear_moves_each_row_sideways_in_proportion_to_its_height():
    images = blurred_squares(300)
    before = moments(images)[1]
    after = moments(augmenter(shear=0.5)(images))[1]
    shears = (after[:, 0, 1] - before[:, 0, 1]) / before[:, 1, 1]
    assert np.abs(shears).max() == pytest.approx(0.5, rel=0.05)
    assert after[:, 1, 1] == pytest.approx(before[:, 1, 1], rel=0.02)


def test_displacements_have_the_root_mean_square_and_the_smoothness_asked_for():
    field = augmenter(elastic_displacement=2.0, elastic_smoothness=3.0)._displacements(2000).view(-1, 28, 28, 2).numpy()
    assert np.sqrt((field**2).mean()) == pytest.approx(2.0, rel=0.03)
    assert np.sqrt((field[:, 0, 0] ** 2).mean()) == pytest.approx(2.0, rel=0.05)
    # White noise smoothed by a Gaussian of deviation s has the correlation exp(-d² / 4 s²) at distance d.
    middle = field[:, 14, 14]
    for distance in (1, 3, 6):
        correlation = (middle * field[:, 14, 14 + distance]).mean() / (middle**2).mean()
        assert correlation == pytest.approx(np.exp(-(distance**2) / 36), abs=0.06)


def test_what_is_moved_in_from_outside_is_background():
    images = torch.ones(200, 784)
    moved = augmenter(translation=6.0)(images).view(-1, 28, 28)
    assert ((moved >= 0) & (moved <= 1 + 1e-5)).all()
    lost = (moved < 1e-6).float().sum(dim=(1, 2))
    assert lost.max() > 28 * 4

r"""How far generated images are from real ones: every distance of two feature matrices, with its deviation.

The Frechet distance's deviation is the delete-a-group jackknife over ten interleaved tenths of both matrices,

    s^2 = (g - 1) / g  sum_i (F_{-i} - mean F_{-i})^2 ,     g = 10,

which needs no smaller samples than nine tenths (a tenth alone would be biased upwards by its size). The kernel distance has
the standard deviation over its blocks, FID-infinity the error of its fit, and precision, recall, density and coverage the
standard error over images.

Reference: The jackknife and bootstrap (Shao, Tu, 1995), section 2.3, the delete-a-group jackknife.
"""

from __future__ import annotations

import functools
import operator

import torch
from torch import Tensor

from ..utils.machine import device_here
from .fid import Moments, fid_infinity, frechet_distance, frechet_from_streams
from .mmd import kernel_distance
from .prdc import neighbour_counts

__all__ = ["jackknife_deviation", "measure_distances"]


JACKKNIFE_GROUPS = 10


PRDC_NEIGHBOURS = 5


KID_BLOCK_ROWS = 1000  # rows of a block of the kernel distance


Measured = dict[str, float | None]


def measure_distances(real: Tensor, fake: Tensor, seed: int = 0, every: bool = True) -> dict[str, Measured]:
    """Every distance of generated from real features (N, d), as name -> {"value", "deviation"}; or the Frechet one alone.

    Raises UserError as the distances do: fewer than two images, different columns, values that are not finite.
    """
    if device_here().type == "cuda":  # others have no float64, or are the CPU
        real, fake = real.to("cuda"), fake.to("cuda")
    found: dict[str, Measured] = {
        "fid": {"value": frechet_distance(real, fake), "deviation": jackknife_deviation(real, fake)},
        "fid_infinity": {"value": None, "deviation": None},
    }
    if not every:
        return found
    if min(len(real), len(fake)) > 2 * real.shape[1]:
        limit = fid_infinity(fake, real, seed=seed)
        found["fid_infinity"] = {"value": limit.value, "deviation": limit.error}
    size = min(KID_BLOCK_ROWS, min(len(real), len(fake)) // 2)  # blocks of all rows would all be the same
    found["kid"] = {"value": None, "deviation": None}
    if size > 1:
        kernel = kernel_distance(real, fake, size=size, seed=seed)
        found["kid"] = {"value": kernel.value, "deviation": kernel.deviation}
    names = ("precision", "recall", "density", "coverage")
    found |= {name: {"value": None, "deviation": None} for name in names}
    if min(len(real), len(fake)) > PRDC_NEIGHBOURS:
        for name, each in zip(names, neighbour_counts(real, fake, PRDC_NEIGHBOURS), strict=True):
            found[name] = {"value": float(each.mean()), "deviation": float(each.std() / len(each) ** 0.5)}
    return found


def jackknife_deviation(real: Tensor, fake: Tensor) -> float | None:
    """The Frechet distance's deviation from leaving out a tenth of both matrices; None below 40 rows."""
    if min(len(real), len(fake)) < 4 * JACKKNIFE_GROUPS:
        return None
    if min(len(real), len(fake)) <= real.shape[1]:  # where the distance of rows is faster than that of moments
        kept = [
            [m[torch.arange(len(m), device=m.device) % JACKKNIFE_GROUPS != i] for m in (real, fake)]
            for i in range(JACKKNIFE_GROUPS)
        ]
        return _jackknife_of([frechet_distance(a, b) for a, b in kept])
    parts = [[Moments().update(m[i::JACKKNIFE_GROUPS]) for i in range(JACKKNIFE_GROUPS)] for m in (real, fake)]
    left = []
    for i in range(JACKKNIFE_GROUPS):
        a, b = (functools.reduce(operator.add, side[:i] + side[i + 1 :]) for side in parts)
        left.append(frechet_from_streams(a, b))
    return _jackknife_of(left)


def _jackknife_of(left: list[float]) -> float:
    values = torch.tensor(left, dtype=torch.float64)
    return float(((JACKKNIFE_GROUPS - 1) / JACKKNIFE_GROUPS * (values - values.mean()).square().sum()).sqrt())

"""Probes: what a classifier reads from latent codes, as functions of matrices.

    z - 256 - BatchNorm - LeakyReLU(.2) - 256 - BatchNorm - LeakyReLU(.2) - classes,    cross-entropy, Adam, batches of 128

Several probes of codes of one dimension are trained as one network whose weights have one slice for each: the sum of their
losses gives each its own gradient, and Adam treats every weight by itself, so that the result is that of separate networks.
All begin with the same weights and draw their batches by the same random numbers: none depends on which others are trained
beside it. Accuracies are measured in evaluation mode, with BatchNorm's running statistics, on all rows.

Codes with noise are drawn anew each time they are seen in training, and once to be measured.

Reference: the probes of Multi-Level Variational Autoencoder (Bouchacourt et al., 2018), section 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError
from ..samplers.fit import seeded
from ..utils.console import Progress
from ..utils.machine import device_here
from .codes import LabelledCodes

__all__ = ["ITERATIONS", "Accuracy", "Probes", "fit_probes"]


ITERATIONS = 6000


HIDDEN_UNITS, LEAKY_SLOPE, BATCH_SIZE, LEARNING_RATE = 256, 0.2, 128, 1e-3


ITERATIONS_PER_DRAW, ROWS_PER_BATCH = 100, 4096  # iterations whose batches are drawn at once, and codes measured at once


class Accuracy(NamedTuple):
    """Shares of training and test rows that a probe is right about, and the latter's standard error sqrt(p (1 - p) / n)."""

    train: float
    test: float
    error: float


class Probes(nn.Module):
    """`count` classifiers in one: codes (Q, D, B) -> logits (Q, classes, B), columns being samples.

    Every probe begins with the same weights, PyTorch's default for dense layers.
    """

    def __init__(self, count: int, dim: int, classes: int) -> None:
        super().__init__()
        self.sizes = (dim, HIDDEN_UNITS, HIDDEN_UNITS, classes)
        layers = [nn.Linear(a, b) for a, b in pairwise(self.sizes)]
        self.weights = nn.ParameterList(layer.weight.detach().repeat(count, 1, 1) for layer in layers)
        self.biases = nn.ParameterList(layer.bias.detach()[:, None].repeat(count, 1, 1) for layer in layers)
        self.norms = nn.ModuleList(nn.BatchNorm1d(count * HIDDEN_UNITS) for _ in layers[1:])

    def forward(self, z: Tensor) -> Tensor:
        for i, norm in enumerate(self.norms):
            z = torch.baddbmm(self.biases[i], self.weights[i], z)
            z = norm(z.view(1, -1, z.shape[2])).view_as(z)  # a channel for each unit of each probe
            z = F.leaky_relu(z, LEAKY_SLOPE)
        return torch.baddbmm(self.biases[-1], self.weights[-1], z)

    @torch.no_grad()
    def network(self, q: int) -> nn.Sequential:
        """Probe q as an ordinary network, (B, D) -> (B, classes), in evaluation mode."""
        found = nn.Sequential()
        units = slice(q * HIDDEN_UNITS, (q + 1) * HIDDEN_UNITS)
        for i, (a, b) in enumerate(pairwise(self.sizes)):
            layer = nn.utils.skip_init(nn.Linear, a, b)  # which draws nothing
            layer.weight.copy_(self.weights[i][q])
            layer.bias.copy_(self.biases[i][q, :, 0])
            found.append(layer)
            if i < len(self.norms):
                norm = nn.BatchNorm1d(HIDDEN_UNITS)
                for name, value in self.norms[i].state_dict().items():
                    getattr(norm, name).copy_(value[units] if value.ndim else value)
                found.extend((norm, nn.LeakyReLU(LEAKY_SLOPE)))
        return found.to(self.weights[0].device).eval()


def fit_probes(
    train: Sequence[LabelledCodes],
    test: Sequence[LabelledCodes],
    iterations: int = ITERATIONS,
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> list[Accuracy]:
    """Trains a probe on each set of codes, and measures it there and on the test codes beside it.

    Arguments:
        train, test: sets of any sizes and one dimension D. Labels that no training set has are never told.
        iterations: steps of 128 codes at a learning rate of 1e-3.
        seed: of weights, batches and noise; equal seeds give equal results, whatever the global random state.
        device: by default this machine's accelerator.
        progress: is told (iteration, iterations).

    Raises UserError for codes that do not match or are not finite.
    """
    dim = _check_codes(train, test, iterations)
    device = device or device_here()
    classes = torch.cat([t.labels for t in train]).unique()
    with seeded(seed):
        probes = Probes(len(train), dim, len(classes)).to(device).train()
    counts = torch.tensor([len(t.codes) for t in train])
    first = (counts.cumsum(0) - counts)[:, None]  # each set's first row among all
    codes = torch.cat([t.codes for t in train]).to(device, torch.float32)
    answers = torch.cat([_class_indices(t.labels, classes) for t in train]).to(device)
    noise = None
    if any(t.noise is not None for t in train):
        noise = torch.cat([torch.zeros_like(t.codes) if t.noise is None else t.noise for t in train])
        noise = noise.to(device, torch.float32)
    optimizer = torch.optim.Adam(probes.parameters(), lr=LEARNING_RATE, fused=device.type in ("cpu", "cuda", "mps"))
    with torch.enable_grad():
        for step, (places, eps) in enumerate(_draw_batches(counts, dim, iterations, seed)):
            rows = (first + places).to(device, non_blocking=True)
            z = codes[rows].mT
            if noise is not None:
                z = torch.addcmul(z, noise[rows].mT, eps.to(device, non_blocking=True))
            loss = F.cross_entropy(probes(z), answers[rows], reduction="sum") / BATCH_SIZE
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if progress is not None:
                progress(step + 1, iterations)
    right = []
    for q, parts in enumerate(zip(train, test, strict=True)):
        network = probes.network(q)
        right.append(torch.stack([_count_correct(network, part, classes, seed + 1, device) for part in parts]))
    found = torch.stack(right).tolist()
    return [_accuracy(a, b, len(t.codes), u) for (a, b), t, u in zip(found, train, test, strict=True)]


def _draw_batches(counts: Tensor, dim: int, iterations: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """For each iteration the places (Q, B) in sets of so many rows, drawn evenly, and normal noise (D, B); on the CPU."""
    draw = torch.Generator().manual_seed(seed)
    for begun in range(0, iterations, ITERATIONS_PER_DRAW):
        steps = min(ITERATIONS_PER_DRAW, iterations - begun)
        even = torch.rand(steps, 1, BATCH_SIZE, generator=draw, dtype=torch.float64)
        eps = torch.randn(steps, dim, BATCH_SIZE, generator=draw)
        yield from zip((even * counts[:, None]).long(), eps, strict=True)


def _class_indices(labels: Tensor, classes: Tensor) -> Tensor:
    """The place of each label among ascending classes; -1, which no probe answers, where it is none of them."""
    place = torch.searchsorted(classes, labels).clamp_max(len(classes) - 1)
    return torch.where(classes[place] == labels, place, -1)


@torch.no_grad()
def _count_correct(network: nn.Sequential, part: LabelledCodes, classes: Tensor, seed: int, device: torch.device) -> Tensor:
    """How many rows a network is right about."""
    codes = part.codes.float()
    if part.noise is not None:
        eps = torch.randn(codes.shape, generator=torch.Generator().manual_seed(seed))
        codes = torch.addcmul(codes, part.noise.float(), eps)
    told = torch.cat([network(z.to(device)).argmax(1) for z in codes.split(ROWS_PER_BATCH)])
    return (told == _class_indices(part.labels, classes).to(device)).sum()


def _accuracy(trained: int, tested: int, count: int, test: LabelledCodes) -> Accuracy:
    share = tested / len(test.codes)
    return Accuracy(trained / count, share, math.sqrt(share * (1 - share) / (test.independent or len(test.codes))))


def _check_codes(train: Sequence[LabelledCodes], test: Sequence[LabelledCodes], iterations: int) -> int:
    """The dimension of all codes; raises UserError where they do not match."""
    if iterations < 1:
        raise UserError(f"iterations={iterations} trains no probe; give a number such as {ITERATIONS}.")
    if not train or len(train) != len(test):
        raise UserError(f"{len(train)} training and {len(test)} test sets were given; each probe needs one of either.")
    for part in (*train, *test):
        if part.codes.ndim != 2 or len(part.codes) != len(part.labels) or not len(part.codes):
            raise UserError(
                f"codes of shape {tuple(part.codes.shape)} do not match labels of shape {tuple(part.labels.shape)}; give "
                "(N, D) and (N,), with at least one row."
            )
        if part.codes.shape[1] != train[0].codes.shape[1]:
            raise UserError(f"codes of {part.codes.shape[1]} and {train[0].codes.shape[1]} dimensions need probes apart.")
        if not all(bool(m.isfinite().all()) for m in (part.codes, part.noise) if m is not None):
            raise UserError("some codes are NaN or infinite: the encoder that gave them is broken; train it anew.")
    return train[0].codes.shape[1]

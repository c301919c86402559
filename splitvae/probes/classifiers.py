"""Probes: classifiers that are trained to predict labels from latent codes.

    z - 256 - BatchNorm - LeakyReLU(0.2) - 256 - BatchNorm - LeakyReLU(0.2) - classes,   cross-entropy, Adam, batches of 128

Several probes of codes of one dimension are trained as one network whose weights have one slice per probe. The sum of the
losses gives each probe its own gradient, and Adam treats every weight by itself, so that the result is that of separate
networks. All probes begin with the same weights and draw their batches with the same random numbers, so that a probe does
not depend on which others are trained with it. Accuracies are measured on all rows, in evaluation mode, with the running
statistics of BatchNorm.

Codes with noise are drawn again at each training step, and once for the measurement.

Reference: the probes of Multi-Level Variational Autoencoder (Bouchacourt, Tomioka, Nowozin, 2018),
https://arxiv.org/abs/1705.08841, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError, setting
from ..utils.console import Progress
from ..utils.machine import default_device, has_fused_adam
from ..utils.random_streams import fixed_seed
from .codes import LabelledCodes

__all__ = ["BATCH_SIZE", "ITERATIONS", "LEARNING_RATE", "Accuracy", "Probes", "fit_probes", "standard_error"]

ITERATIONS = 6000
HIDDEN_UNITS, LEAKY_SLOPE, BATCH_SIZE, LEARNING_RATE = 256, 0.2, 128, 1e-3
ITERATIONS_PER_DRAW = 100  # their batches are drawn at once
TEST_BATCH_SIZE = 4096


class Accuracy(NamedTuple):
    """The accuracy of a probe, and whether it had enough iterations (see probes/verdicts.py).

    train: The accuracy on the training rows.
    test: The accuracy on the test rows.
    error: The standard error of `test`; see `standard_error`.
    gain: By how much the second half of the iterations raised `test`.
    passes: How often the probe drew each training row on average.
    """

    train: float
    test: float
    error: float
    gain: float
    passes: float


def standard_error(accuracy: float, independent: float) -> float:
    """Returns the standard error of an accuracy p of n independent rows.

    It is the deviation of Beta(p n + 1, (1 - p) n + 1), what n rows tell if nothing is known before. For many rows it is
    sqrt(p (1 - p) / n). It is not 0 where all rows are right.

    Arguments:
        accuracy: The share p of rows whose label is predicted.
        independent: The number n of rows that share no image and no draw.
    """
    p = (accuracy * independent + 1) / (independent + 2)
    return math.sqrt(p * (1 - p) / (independent + 3))


class Probes(nn.Module):
    """Creates Q classifiers as one network: codes (Q, D, B) -> logits (Q, classes, B), one column per sample.

    Every probe begins with the same weights, PyTorch's default for dense layers.

    Arguments:
        count: The number Q of probes.
        dim: The dimension D of codes.
        classes: The number of classes.
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
            z = norm(z.view(1, -1, z.shape[2])).view_as(z)  # one channel per unit of each probe
            z = F.leaky_relu(z, LEAKY_SLOPE)
        return torch.baddbmm(self.biases[-1], self.weights[-1], z)

    @torch.no_grad()
    def network(self, q: int) -> nn.Sequential:
        """Returns probe q as an ordinary network, (B, D) -> (B, classes), in evaluation mode."""
        network = nn.Sequential()
        units = slice(q * HIDDEN_UNITS, (q + 1) * HIDDEN_UNITS)
        for i, (a, b) in enumerate(pairwise(self.sizes)):
            layer = nn.utils.skip_init(nn.Linear, a, b)  # draws no random numbers
            layer.weight.copy_(self.weights[i][q])
            layer.bias.copy_(self.biases[i][q, :, 0])
            network.append(layer)
            if i < len(self.norms):
                norm = nn.BatchNorm1d(HIDDEN_UNITS)
                for name, value in self.norms[i].state_dict().items():
                    getattr(norm, name).copy_(value[units] if value.ndim else value)
                network.extend((norm, nn.LeakyReLU(LEAKY_SLOPE)))
        return network.to(self.weights[0].device).eval()


def fit_probes(
    train: Sequence[LabelledCodes],
    test: Sequence[LabelledCodes],
    iterations: int = ITERATIONS,
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> list[Accuracy]:
    """Trains one probe on each training set, and measures it on that set and on the test set at the same place.

    Arguments:
        train: The training sets, of any sizes and one dimension D.
        test: The test sets, one per training set. A label that no training set has is never predicted.
        iterations: The number of steps, each on 128 codes with a learning rate of 1e-3.
        seed: The seed of weights, batches and noise. Equal seeds give equal results, whatever the global random state is.
        device: The device to train on; by default the accelerator of this machine.
        progress: Called with (iteration, iterations) after each iteration.

    Raises:
        UserError: If codes do not match or are not finite.
    """
    dim = _check_codes(train, test, iterations)
    device = device or default_device()
    classes = torch.cat([t.labels for t in train]).unique()
    with fixed_seed(seed):
        probes = Probes(len(train), dim, len(classes)).to(device).train()
    counts = torch.tensor([len(t.codes) for t in train])
    first = (counts.cumsum(0) - counts)[:, None]  # the first row of each set among all rows
    codes = torch.cat([t.codes for t in train]).to(device, torch.float32)
    targets = torch.cat([_class_indices(t.labels, classes) for t in train]).to(device)
    noise = None
    if any(t.noise is not None for t in train):
        noise = torch.cat([torch.zeros_like(t.codes) if t.noise is None else t.noise for t in train])
        noise = noise.to(device, torch.float32)
    optimizer = torch.optim.Adam(probes.parameters(), lr=LEARNING_RATE, fused=has_fused_adam(device))
    halfway: list[Tensor] = []  # how many test rows each probe predicts after half of the iterations
    with torch.enable_grad():
        for step, (places, eps) in enumerate(_draw_batches(counts, dim, iterations, seed)):
            if step == iterations // 2:
                halfway = [_count_correct(probes.network(q), t, classes, seed + 1, device) for q, t in enumerate(test)]
            rows = (first + places).to(device, non_blocking=True)
            z = codes[rows].mT
            if noise is not None:
                z = torch.addcmul(z, noise[rows].mT, eps.to(device, non_blocking=True))
            loss = F.cross_entropy(probes(z), targets[rows], reduction="sum") / BATCH_SIZE
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if progress is not None:
                progress(step + 1, iterations)
    accuracies = []
    for q, (train_rows, test_rows) in enumerate(zip(train, test, strict=True)):
        network = probes.network(q)
        right, tested, before = (
            int(count) / len(rows.codes)
            for count, rows in (
                (_count_correct(network, train_rows, classes, seed + 1, device), train_rows),
                (_count_correct(network, test_rows, classes, seed + 1, device), test_rows),
                (halfway[q], test_rows),
            )
        )
        error = standard_error(tested, test_rows.independent or len(test_rows.codes))
        passes = iterations * BATCH_SIZE / len(train_rows.codes)
        accuracies.append(Accuracy(right, tested, error, tested - before, passes))
    return accuracies


def _draw_batches(counts: Tensor, dim: int, iterations: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields for each iteration random rows (Q, B) of sets with `counts` rows, and normal noise (D, B), on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, iterations, ITERATIONS_PER_DRAW):
        steps = min(ITERATIONS_PER_DRAW, iterations - start)
        uniform = torch.rand(steps, 1, BATCH_SIZE, generator=generator, dtype=torch.float64)
        eps = torch.randn(steps, dim, BATCH_SIZE, generator=generator)
        yield from zip((uniform * counts[:, None]).long(), eps, strict=True)


def _class_indices(labels: Tensor, classes: Tensor) -> Tensor:
    """Returns the index of each label among ascending classes; -1, which no probe predicts, for any other label."""
    index = torch.searchsorted(classes, labels).clamp_max(len(classes) - 1)
    return torch.where(classes[index] == labels, index, -1)


@torch.no_grad()
def _count_correct(network: nn.Sequential, part: LabelledCodes, classes: Tensor, seed: int, device: torch.device) -> Tensor:
    """Returns the number of rows whose label a network predicts."""
    codes = part.codes.float()
    if part.noise is not None:
        eps = torch.randn(codes.shape, generator=torch.Generator().manual_seed(seed))
        codes = torch.addcmul(codes, part.noise.float(), eps)
    predictions = torch.cat([network(z.to(device)).argmax(1) for z in codes.split(TEST_BATCH_SIZE)])
    return (predictions == _class_indices(part.labels, classes).to(device)).sum()


def _check_codes(train: Sequence[LabelledCodes], test: Sequence[LabelledCodes], iterations: int) -> int:
    """Returns the dimension of all codes; raises UserError if they do not match."""
    if iterations < 1:
        raise UserError(f"{setting('iterations', iterations)} trains no probe; give a number such as {ITERATIONS}.")
    if not train or len(train) != len(test):
        raise UserError(f"{len(train)} training and {len(test)} test sets were given; each probe needs one of either kind.")
    for part in (*train, *test):
        if part.codes.ndim != 2 or len(part.codes) != len(part.labels) or not len(part.codes):
            raise UserError(
                f"codes of shape {tuple(part.codes.shape)} do not match labels of shape {tuple(part.labels.shape)}; give "
                "(N, D) and (N,), with at least one row."
            )
        if part.codes.shape[1] != train[0].codes.shape[1]:
            dims = f"{part.codes.shape[1]} and of {train[0].codes.shape[1]}"
            raise UserError(f"codes of {dims} dimensions need probes apart: fit the probes of each dimension alone.")
        if not all(bool(m.isfinite().all()) for m in (part.codes, part.noise) if m is not None):
            raise UserError("some codes are NaN or infinite: the encoder that gave them is broken; train it again.")
    return train[0].codes.shape[1]

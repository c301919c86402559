"""The probes of the Multi-Level VAE's best-known public code, in both modes of their BatchNorm.

Batches have 128 images. Images of one label in a batch are a group: their evidence is accumulated by that true label, and
all of them get the code of their group. The code has one draw of noise for each group.

| mode         | BatchNorm of the probe in tests                                                                 |
| ------------ | ----------------------------------------------------------------------------------------------- |
| `training`   | uses the statistics of the test batch, as in the public code, which never calls `eval()`          |
| `evaluation` | uses the running statistics of training                                                         |

In training mode, the answer for one image depends on the other images of its batch. A test batch has at most one group
for each digit, so that 10,000 images have about 780 distinct codes, of which the standard error is computed.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.fusion import fuse
from ..models.groups import Groups, as_groups
from ..models.posteriors import GaussianPosterior
from ..models.vae import VAE
from ..probes.classifiers import BATCH_SIZE, LEARNING_RATE, Accuracy, Probes, standard_error
from ..probes.codes import majority_accuracy
from ..probes.labelled_images import load_labelled_images
from ..probes.measure import encode_posteriors
from ..runs import Run
from ..utils.console import print_once
from ..utils.machine import default_device, has_fused_adam
from ..utils.random_streams import fixed_seed

__all__ = ["MODES", "EncodedImages", "GroupNoise", "fit_public_probes", "probe_as_public_code"]

MODES = ("training", "evaluation")
EVIDENCE = "content, evidence"
CODES = ("style means", "style", "content means", "content", EVIDENCE)


class EncodedImages(NamedTuple):
    """The posteriors of the images of one part of the data by each of K networks.

    style, content: The means and log-variances, each (K, N, D).
    labels: The labels 0, 1, ..., (N,), on the CPU.
    """

    style: tuple[Tensor, Tensor]
    content: tuple[Tensor, Tensor]
    labels: Tensor

    def to(self, device: torch.device) -> EncodedImages:
        """Returns the same posteriors on another device."""
        style, content = ((mean.to(device), logvar.to(device)) for mean, logvar in self[:2])
        return EncodedImages(style, content, self.labels)


class GroupNoise(NamedTuple):
    """The noise of contents with evidence.

    draw: Whether it is drawn once for each group, anew for each image (sample), or not (mean).
    std: The standard deviation of eps in content = mean + sigma eps.
    """

    draw: str
    std: float


def probe_as_public_code(
    run: Run, networks: Mapping[str, VAE], iterations: int, seed: int, progress: bool
) -> dict[str, dict[str, Any]]:
    """Measures probes of several networks, which see the same batches and the same noise.

    Codes are posterior means and samples of single images, and samples of contents with accumulated evidence. The noise of
    samples of single images is N(0, 1); that of samples with evidence is that of training.

    Arguments:
        run: A run of a model of the public code, whose images and noise are used.
        networks: The networks by the prefix of their results.
        iterations: The number of steps of each probe.
        seed: The seed of probes, batches and noise.
        progress: Whether progress is printed.

    Returns the results of `fit_public_probes` by names such as "style means", "content" and "content, evidence" with a
    prefix, and the share of the most frequent label as "majority".
    """
    train, test = (_encode(list(networks.values()), part.images.pixels, part.labels) for part in load_labelled_images(run))
    options = run.config.options()
    noise = GroupNoise(options["content_draw"], options["group_eps_std"])
    print_once(progress, f"Training {len(CODES) * len(networks)} probes of codes, {iterations:,} iterations.")
    results = fit_public_probes(train, test, noise, iterations, seed)
    names = [f"{prefix}{code}" for prefix in networks for code in CODES]
    majority = {"test": majority_accuracy(train.labels, test.labels)}
    return {**dict(zip(names, results, strict=True)), "majority": majority}


def fit_public_probes(
    train: EncodedImages, test: EncodedImages, noise: GroupNoise, iterations: int, seed: int
) -> list[dict[str, Any]]:
    """Trains a probe of each kind of code of each of K networks, and tests it.

    Arguments:
        train: The training images. Batches are drawn from them without replacement, in another order in each pass.
        test: The test images.
        noise: The noise of contents with evidence.
        iterations: The number of steps.
        seed: The seed of probes, batches and noise.

    Returns for each network and kind of code: the number of distinct test codes as "groups", and the fields of an
    `Accuracy` for each of `MODES`.
    """
    device = default_device()
    train, test = (part.to(device) for part in (train, test))
    count, classes = len(CODES) * len(train.style[0]), int(train.labels.max()) + 1
    with fixed_seed(seed):
        probes = Probes(count, train.content[0].shape[2], classes).to(device).train()
        optimizer = torch.optim.Adam(probes.parameters(), lr=LEARNING_RATE, fused=has_fused_adam(device))
        for step, rows in enumerate(_draw_batches(len(train.labels), iterations)):
            if step == iterations // 2:
                halfway = _test(probes, test, noise, seed + 1)
            _train_step(probes, optimizer, _draw_codes(train, rows, noise), train.labels[rows])
    tests = [_test(probes, part, noise, seed + 1) for part in (train, test)]
    tested = tests[1].rows
    distinct, effective = _count_groups(tested, test.labels)
    passes = iterations * BATCH_SIZE / len(train.labels)
    results = []
    for q in range(count):
        fused = CODES[q % len(CODES)] == EVIDENCE
        result: dict[str, Any] = {"groups": distinct if fused else tested.numel()}
        for mode in MODES:
            on_train, on_test, before = (float(part.accuracies[mode][q]) for part in (*tests, halfway))
            error = standard_error(on_test, effective if fused else tested.numel())
            result[mode] = Accuracy(on_train, on_test, error, on_test - before, passes)._asdict()
        results.append(result)
    return results


class _Test(NamedTuple):
    """The rows of the tested batches, (batches, 128), and the accuracy of each probe, (Q,), in each of `MODES`."""

    rows: Tensor
    accuracies: dict[str, Tensor]


def _encode(networks: list[VAE], pixels: Tensor, labels: Tensor) -> EncodedImages:
    posteriors = [encode_posteriors(vae, pixels) for vae in networks]
    style, content = (
        tuple(torch.stack(column).float() for column in zip(*(posterior[name] for posterior in posteriors), strict=True))
        for name in ("style", "content")
    )
    return EncodedImages((style[0], style[1]), (content[0], content[1]), labels)


def _train_step(probes: Probes, optimizer: torch.optim.Optimizer, codes: Tensor, labels: Tensor) -> None:
    targets = labels.to(codes.device).expand(len(codes), -1)
    loss = F.cross_entropy(probes(codes), targets, reduction="sum") / BATCH_SIZE
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _draw_batches(count: int, iterations: int) -> Iterator[Tensor]:
    """Yields the rows of so many batches, in epochs that each have another order."""
    passes = -(-iterations // max(1, count // BATCH_SIZE))
    return itertools.islice((rows for _ in range(passes) for rows in _full_batches(count)), iterations)


def _full_batches(count: int) -> Tensor:
    """Returns random rows, (batches, 128); those that fill no batch are left out. Fewer images are one batch."""
    size = min(count, BATCH_SIZE)
    return torch.randperm(count)[: count // size * size].view(-1, size)


@torch.no_grad()
def _test(probes: Probes, part: EncodedImages, noise: GroupNoise, seed: int) -> _Test:
    """Tests all probes on the batches and draws of a seed, equal ones for both modes; the probes do not change."""
    copies = {mode: copy.deepcopy(probes).train(mode == "training") for mode in MODES}
    correct = dict.fromkeys(MODES, torch.zeros(()))
    with fixed_seed(seed):
        rows = _full_batches(len(part.labels))
        for batch in rows:
            codes = _draw_codes(part, batch, noise)
            for mode, network in copies.items():
                correct[mode] = correct[mode] + (network(codes).argmax(1).cpu() == part.labels[batch]).sum(1)
    return _Test(rows, {mode: count.double() / rows.numel() for mode, count in correct.items()})


def _draw_codes(images: EncodedImages, rows: Tensor, noise: GroupNoise) -> Tensor:
    """Returns the codes of a batch, of the kinds in `CODES` for each of K networks, (5 K, D, B)."""
    groups = as_groups(images.labels[rows], len(rows), images.style[0].device)
    style, style_logvar = (matrix[:, rows] for matrix in images.style)
    content, content_logvar = (matrix[:, rows] for matrix in images.content)
    style_eps, content_eps, eps = (torch.randn(mean[0].shape).to(mean) for mean in (style, content, content))
    fused, fused_logvar = _fuse_by_label(content, content_logvar, groups)
    if noise.draw == "group":
        eps = eps[groups.member_of]  # the draw of the image whose row is the group's number
    fused_eps = (0.0 if noise.draw == "mean" else noise.std) * eps
    kinds = (
        style,
        style + torch.exp(0.5 * style_logvar) * style_eps,
        content,
        content + torch.exp(0.5 * content_logvar) * content_eps,
        fused + torch.exp(0.5 * fused_logvar) * fused_eps,
    )
    return torch.stack(kinds, 1).flatten(0, 1).mT


def _fuse_by_label(mean: Tensor, logvar: Tensor, groups: Groups) -> tuple[Tensor, Tensor]:
    """Fuses the posteriors (K, B, D) of a batch; returns the mean and log-variance of each image's group, (K, B, D)."""
    networks, _, dim = mean.shape
    columns = [matrix.transpose(0, 1).flatten(1) for matrix in (mean, logvar)]  # dimensions are fused separately
    fused = fuse(GaussianPosterior(columns[0], columns[1]), groups)
    mean, logvar = (m[groups.member_of].unflatten(1, (networks, dim)).transpose(0, 1) for m in (fused.mean, fused.logvar))
    return mean, logvar


def _count_groups(rows: Tensor, labels: Tensor) -> tuple[int, float]:
    """Returns the number of groups of batches (batches, 128), and how many groups of equal size would tell as much.

    The latter is (sum of sizes)^2 / (sum of squared sizes), since all images of a group are right or wrong together.
    """
    sizes = torch.stack([labels[batch].bincount(minlength=int(labels.max()) + 1) for batch in rows]).double()
    return int((sizes > 0).sum()), float(sizes.sum() ** 2 / sizes.square().sum())

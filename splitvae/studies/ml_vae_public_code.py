"""What the best-known public code of the Multi-Level VAE does differently: its first weights, and its probes.

The code cuts the gradient of the class code, so that the heads of the content keep their first, random weights. Its
headline accuracy is that of class codes whose evidence was accumulated by the true label, in batches of 128. An untrained
encoder reaches it too, which the probes of untrained networks show.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..models.fusion import fuse
from ..models.groups import as_groups
from ..models.latents import GroupedHead
from ..models.posteriors import GaussianPosterior
from ..models.vae import VAE
from ..presets.build import build_vae
from ..probes.classifiers import fit_probes
from ..probes.codes import LabelledCodes, mean_and_sample_codes
from ..probes.labelled_images import LabelledImages, load_labelled_images
from ..probes.measure import encode_posteriors
from ..runs import Run
from ..samplers.fit import fixed_seed
from ..utils.console import print_once

__all__ = ["fuse_by_label", "initialise_as_public_code", "probe_as_public_code"]

EVIDENCE_BATCH = 128  # images among which the probes accumulate evidence
WEIGHT_STD = 0.05  # of the first weights


def initialise_as_public_code(vae: VAE) -> None:
    """Draws the weights of all dense layers from N(0, 0.05^2), sets biases to 0, and freezes the heads of the content."""
    for layer in vae.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=WEIGHT_STD)
            nn.init.zeros_(layer.bias)
    cast(GroupedHead, vae.encoder.latent).train_content = False


def probe_as_public_code(run: Run, iterations: int, seed: int, progress: bool) -> dict[str, dict[str, float]]:
    """Measures probes of the trained and of the untrained network.

    Codes are posterior means and samples of single images, and samples of contents with accumulated evidence. The noise of
    samples of single images is N(0, 1); that of samples with evidence has the standard deviation of training.

    Arguments:
        run: A run of a model of the public code.
        iterations: The number of steps of each probe.
        seed: The seed of probes and batches.
        progress: Whether progress is printed.

    Returns accuracies (see `fit_probes`) by names such as "style means", "content" and "untrained content, evidence".
    """
    parts = load_labelled_images(run)
    with fixed_seed(run.config.training.seed):
        untrained = build_vae(run.config)
        initialise_as_public_code(untrained)
    codes: dict[str, tuple[LabelledCodes, LabelledCodes]] = {}  # of the training and of the test images
    for prefix, vae in (("", run.vae), ("untrained ", untrained.to(run.vae.device).eval())):
        train, test = ((part, encode_posteriors(vae, part.images.pixels)) for part in parts)
        for name in ("style", "content"):
            (train_means, train_samples), (test_means, test_samples) = (
                mean_and_sample_codes(posterior[name], part.labels) for part, posterior in (train, test)
            )
            codes[f"{prefix}{name} means"] = train_means, test_means
            codes[f"{prefix}{name}"] = train_samples, test_samples
        train_fused, test_fused = (
            _sample_with_evidence(
                part, cast(GaussianPosterior, posterior["content"]), run.config.options()["group_eps_std"], seed
            )
            for part, posterior in (train, test)
        )
        codes[f"{prefix}content, evidence"] = train_fused, test_fused
    print_once(progress, f"Training {len(codes)} probes of codes, {iterations:,} iterations.")
    train_codes, test_codes = zip(*codes.values(), strict=True)
    accuracies = fit_probes(train_codes, test_codes, iterations, seed)
    return {name: accuracy._asdict() for name, accuracy in zip(codes, accuracies, strict=True)}


def _sample_with_evidence(part: LabelledImages, content: GaussianPosterior, noise_std: float, seed: int) -> LabelledCodes:
    """Returns samples of contents, one for each image, with evidence accumulated by label in random batches."""
    order = torch.randperm(len(part.labels), generator=torch.Generator().manual_seed(seed))
    fused = [
        fuse_by_label(GaussianPosterior(content.mean[rows], content.logvar[rows]), part.labels[rows])
        for rows in order.split(EVIDENCE_BATCH)
    ]
    mean, logvar = (torch.cat(column) for column in zip(*fused, strict=True))
    return mean_and_sample_codes(GaussianPosterior(mean, logvar), part.labels[order], noise_std)[1]


def fuse_by_label(members: GaussianPosterior, labels: Tensor) -> GaussianPosterior:
    """Fuses the posteriors (B, D) of a batch by label, and returns for each image the posterior of its label, (B, D)."""
    groups = as_groups(labels, len(labels), labels.device)
    fused = fuse(members, groups)
    return GaussianPosterior(fused.mean[groups.member_of], fused.logvar[groups.member_of])

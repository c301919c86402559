"""Probes of a run: what classifiers predict from its codes, written to probes.json.

A probe is trained on the codes of single images. The content of a grouped latent has more probes, each with the fused
evidence of k = 2, 4, ... 256 images of the same label. Groups that are formed by the true label reveal it: they make the
codes of almost any network separable. Every accuracy is therefore compared with that of the same network before training,
and with the share of the most frequent label; a model has learned as much as it exceeds both.

| key                   | a probe of                                                                             |
| --------------------- | -------------------------------------------------------------------------------------- |
| `means`               | posterior means                                                                        |
| `samples`             | draws of the posterior; of the content once per group, with the `eps_std` of the model |
| `untrained_means` ... | the same of the untrained network, with BatchNorm's statistics of training images      |

Of a grouped latent the `independent style` is probed too: what in the style is independent of the content, by a conditional
flow (samplers/conditional_flow.py) of the codes of training images; of the untrained network by a flow of its own codes.

Accuracies have the fields of `Accuracy` (classifiers.py); which of them are settled is said by verdicts.py.

Little noise can hide from a probe what the means contain: for leakage, look at the probes of means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from ..data.images import batches
from ..errors import UserError, setting
from ..models.codes import encode
from ..models.inference import inference_batch_size
from ..models.latents import GroupedHead
from ..models.posteriors import DiracPosterior, GaussianPosterior
from ..models.vae import VAE
from ..objectives.base import squared_error
from ..presets.build import build_vae
from ..runs import Run
from ..samplers.conditional_flow import ConditionalFlow
from ..utils.console import print_once
from ..utils.files import read_json, write_json
from ..utils.machine import default_device, versions
from ..utils.progress import ProgressBar
from ..utils.random_streams import fixed_seed
from .classifiers import ITERATIONS, fit_probes
from .codes import (
    LabelledCodes,
    fuse_label_groups,
    majority_accuracy,
    mean_and_sample_codes,
    member_counts,
    rows_of_other_label,
)
from .independent_style import INDEPENDENT_STYLE, fit_flows
from .labelled_images import LabelledImages, load_labelled_images
from .verdicts import summarise_probes

__all__ = ["encode_posteriors", "measure_swaps", "probe", "read_cached_probes"]

TRAIN_GROUPS, TEST_GROUPS = 10_000, 2_000  # if one division of the images gives fewer, they are divided again
BATCHNORM_IMAGES = 2_000  # for the statistics of the untrained network
CODE_KINDS = ("means", "samples", "untrained_means", "untrained_samples")
ProbeKey = tuple[str, int, str]  # name of the code, number of members, one of CODE_KINDS


def probe(
    run: Run,
    iterations: int = ITERATIONS,
    seed: int = 0,
    progress: bool = True,
    group_by: str = "",
    members: Sequence[int] = (),
    independent_style: bool = True,
) -> dict[str, Any]:
    """Trains probes on codes of a run's training images, measures them on its test images, and writes probes.json.

    Arguments:
        run: The run.
        iterations: The number of training steps of each probe.
        seed: The seed of probes, groups and draws; the untrained network has the seed of the run.
        progress: Whether progress is printed.
        group_by: The attributes to predict if images have no classes; by default those that the run was grouped by.
        members: The numbers of images whose evidence is fused, besides 1; by default 2, 4, ... 256.
        independent_style: Whether the independent style of a grouped latent is probed, for which two flows are fitted.

    Returns:
        The content of probes.json.

    Raises:
        UserError: If the run has no model, or its images have no labels or only one.
    """
    if iterations < 1:
        raise UserError(f"{setting('iterations', iterations)} trains no probe; give a number such as {ITERATIONS}.")
    if seed < 0:
        raise UserError(f"{setting('seed', seed)} is no seed; it must be at least 0.")
    group_by = group_by or run.config.data.group_by
    train, test = load_labelled_images(run, group_by)
    rows_of_other_label(test.labels)  # raises if there is only one label
    vae = run.vae.eval()
    print_once(
        progress, f"Encoding {len(train.labels):,} training and {len(test.labels):,} test images, trained and untrained."
    )
    untrained = _untrained_copy(run, train.images.pixels, seed)
    counts = _group_sizes(vae, train, test, members)
    flow, untrained_flow = fit_flows(run, untrained, train, progress) if independent_style else (None, None)
    sets = _codes_to_probe(vae, train, test, counts, seed, flow)
    for (name, count, kind), parts in _codes_to_probe(untrained, train, test, counts, seed, untrained_flow).items():
        sets[name, count, f"untrained_{kind}"] = parts
    result = {
        "model": _describe_model(run),
        "data": {
            "train": _describe_data(run, "train", train),
            "test": _describe_data(run, "test", test),
            "group_by": group_by,
        },
        "iterations": iterations,
        "seed": seed,
        "versions": versions(),
        "labels": len(train.labels.unique()),
        "majority": majority_accuracy(train.labels, test.labels),
    }
    accuracies = _train_probes(sets, iterations, seed, progress)
    result["codes"] = {
        name: {"dimensions": sets[name, 1, "means"][0].codes.shape[1]}
        | {kind: accuracies[name, 1, kind] for kind in CODE_KINDS}
        for name in dict.fromkeys(name for name, *_ in sets)
    }
    result["curve"] = [
        _describe_groups(sets["content", k, "means"], k) | {kind: accuracies["content", k, kind] for kind in CODE_KINDS}
        for k in counts
    ]
    result["use"] = measure_swaps(vae, test, seed)
    result["notes"] = summarise_probes(result)
    write_json(run.path / "probes.json", result)
    return result


def read_cached_probes(run: Run, iterations: int | None = None) -> dict[str, Any] | None:
    """Returns what probes.json holds, or None if it is not of the present model, or not of `iterations` where given.

    A file of an earlier version, which does not tell whether its probes are settled, is None as well.
    """
    file = run.path / "probes.json"
    if not file.is_file():
        return None
    try:
        result = read_json(file)
        same = result["model"] == _describe_model(run) and iterations in (None, result["iterations"])
        return result if same and "notes" in result else None
    except (UserError, KeyError, TypeError):
        raise UserError(f"{file} is damaged; delete it, and `splitvae probe {run.path}` measures again.") from None


# ---------------------------------------------------------------- codes


@torch.no_grad()
def encode_posteriors(vae: VAE, pixels: Tensor) -> dict[str, GaussianPosterior | DiracPosterior]:
    """Returns the posteriors of single images, on the CPU: "style" and "content" of a grouped latent, else "latent".

    The content is the evidence of one image, before it is fused with others (or with the prior, if the fusion has one).
    """
    latent, rows = vae.encoder.latent, []
    for x in batches(pixels, vae.device, inference_batch_size(vae)):
        if isinstance(latent, GroupedHead):
            features = vae.encoder.features(x)
            rows.append([m.cpu() for m in (*latent(features).style, *latent.evidence(features))])
        else:
            posterior = vae.encode(x)
            rows.append([m.cpu() for m in (posterior.mean, posterior.logvar) if m is not None])
    columns = [torch.cat(column) for column in zip(*rows, strict=True)]
    if len(columns) == 4:
        return {"style": GaussianPosterior(*columns[:2]), "content": GaussianPosterior(*columns[2:])}
    return {"latent": GaussianPosterior(*columns) if len(columns) == 2 else DiracPosterior(*columns)}


def _untrained_copy(run: Run, pixels: Tensor, seed: int) -> VAE:
    """Returns the network of a run as it was before training, with BatchNorm's statistics of training images."""
    with fixed_seed(run.config.training.seed):
        vae = build_vae(run.config)
    vae = vae.to(default_device())
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(seed))[:BATCHNORM_IMAGES]
    update_bn(batches(pixels[order], vae.device, inference_batch_size(vae, 100)), vae.encoder)
    return vae.eval()


def _group_sizes(vae: VAE, train: LabelledImages, test: LabelledImages, members: Sequence[int]) -> list[int]:
    """Returns the numbers of members of the curve, 1 first; none if the latent is not grouped."""
    if not isinstance(vae.encoder.latent, GroupedHead):
        return []
    possible = member_counts(train.labels, test.labels)
    rarest = min(int(part.labels.unique(return_counts=True)[1].min()) for part in (train, test))
    for k in members:
        if not 0 < k <= rarest:
            raise UserError(f"members={k} cannot be fused: the rarest label has {rarest} images; give 1 to {rarest}.")
    return sorted({1, *members}) if members else possible


def _codes_to_probe(
    vae: VAE,
    train: LabelledImages,
    test: LabelledImages,
    counts: Sequence[int],
    seed: int,
    flow: ConditionalFlow | None,
) -> dict[ProbeKey, tuple[LabelledCodes, LabelledCodes]]:
    """Returns the training and test codes of each probe of a network, of the kinds "means" and "samples".

    Arguments:
        vae: The network.
        train: The training images.
        test: The test images.
        counts: The numbers of images whose contents are fused.
        seed: The seed of the groups.
        flow: A conditional flow of the network's codes; None leaves independent styles out.
    """
    codes: dict[tuple[str, int], list[tuple[LabelledCodes, LabelledCodes]]] = {}  # of both parts: means and samples
    latent = vae.encoder.latent if isinstance(vae.encoder.latent, GroupedHead) else None
    for part, min_groups in ((train, TRAIN_GROUPS), (test, TEST_GROUPS)):
        for name, posterior in encode_posteriors(vae, part.images.pixels).items():
            if latent is None or name != "content" or isinstance(posterior, DiracPosterior):
                codes.setdefault((name, 1), []).append(mean_and_sample_codes(posterior, part.labels))
                continue
            noise_scale = 0.0 if latent.settings.content_draw == "mean" else latent.settings.eps_std
            for k in counts:
                groups = fuse_label_groups(posterior, part.labels, k, latent.settings.fusion, min_groups, seed)
                fused, labels, independent = groups
                codes.setdefault((name, k), []).append(mean_and_sample_codes(fused, labels, noise_scale, independent))
    if flow is not None:
        for part in (train, test):
            styles = LabelledCodes(flow.separate(encode(vae, part.images).mean)[0], part.labels)
            codes.setdefault((INDEPENDENT_STYLE, 1), []).append((styles, styles))
    return {
        (name, k, kind): (train_codes[i], test_codes[i])
        for (name, k), (train_codes, test_codes) in codes.items()
        for i, kind in enumerate(CODE_KINDS[:2])
    }


def _show(bar: ProgressBar, step: int, _: int) -> None:
    """Shows how many steps are done; see `Progress`."""
    bar.update(step)


def _train_probes(
    sets: Mapping[ProbeKey, tuple[LabelledCodes, LabelledCodes]], iterations: int, seed: int, progress: bool
) -> dict[ProbeKey, dict[str, float]]:
    """Trains all probes, those of one dimension together, and returns their accuracies.

    Samples without noise are the means, so that their probe is not trained again.
    """
    dims = sorted({train.codes.shape[1] for train, _ in sets.values()})
    accuracies: dict[ProbeKey, dict[str, float]] = {}
    for dim in dims:
        keys = [key for key, (train, _) in sets.items() if train.codes.shape[1] == dim]
        distinct = [key for key in keys if not key[2].endswith("samples") or sets[key][0].noise is not None]
        print_once(progress, f"Training {len(distinct)} probes of codes of {dim} dimensions, {iterations:,} iterations.")
        with ProgressBar("probes", iterations, "step", active=progress) as bar:
            train, test = zip(*(sets[key] for key in distinct), strict=True)
            fitted = fit_probes(train, test, iterations, seed, progress=partial(_show, bar))
        accuracies |= {key: accuracy._asdict() for key, accuracy in zip(distinct, fitted, strict=True)}
        for name, k, kind in set(keys) - set(distinct):
            accuracies[name, k, kind] = accuracies[name, k, kind.replace("samples", "means")]
    return accuracies


def _describe_model(run: Run) -> dict[str, Any]:
    """Returns what determines the codes: the weights, and how contents are fused and drawn."""
    model = {"preset": run.config.preset, "fingerprint": run.vae.fingerprint()}
    latent = run.config.model.latent
    return model | {"latent": latent.name, **{field.name: value for field, value in latent.items()}}


def _describe_groups(parts: tuple[LabelledCodes, LabelledCodes], count: int) -> dict[str, Any]:
    """Returns the numbers of members and of groups of a row of the curve, and the accuracy of the majority."""
    train, test = parts
    groups = {"train": len(train.labels), "test": len(test.labels), "independent": test.independent}
    return {"members": count, "groups": groups, "majority": majority_accuracy(train.labels, test.labels)}


def _describe_data(run: Run, part: str, labelled: LabelledImages) -> dict[str, Any]:
    images = run.images(part)
    return {
        "source": images.source,
        "part": images.part,
        "images": len(labelled.labels),
        "available": len(images),
        "sha256": images.sha256,
        "notes": list(images.notes),
    }


# ---------------------------------------------------------------- which codes the decoder uses


@torch.no_grad()
def measure_swaps(vae: VAE, test: LabelledImages, seed: int) -> dict[str, Any] | None:
    """Returns the MSE of reconstructions from means, and with the style or the content of an image of another label.

    None if the latent is not grouped. Both are swapped with the same other image, and no evidence is fused.
    """
    latent = vae.encoder.latent
    if not isinstance(latent, GroupedHead):
        return None
    others = rows_of_other_label(test.labels, seed)
    pixels, size = test.images.pixels, inference_batch_size(vae)
    mean = torch.cat([vae.encode(x).mean.cpu() for x in batches(pixels, vae.device, size)])
    style, content = mean.split((vae.latent_dim - latent.content_dim, latent.content_dim), 1)
    codes = {
        "mse": mean,
        "content_shuffled": torch.cat((style, content[others]), 1),
        "style_shuffled": torch.cat((style[others], content), 1),
    }
    result: dict[str, Any] = {"images": len(pixels)}
    for name, z in codes.items():
        parts = zip(batches(pixels, vae.device, size), z.split(size), strict=True)
        errors = torch.cat([squared_error(vae.decode(part).image, x).cpu() for x, part in parts])
        result[name] = float(errors.double().mean()) / pixels[0].numel()
    for name in ("content", "style"):
        result[f"{name}_ratio"] = result[f"{name}_shuffled"] / max(result["mse"], 1e-12)
    return result

"""Evaluation: what a run's model does on the test images, written to evaluation.json.

A measured number is `{"value", "deviation"}`: the metric of all images, and the sample deviation of the same metric
over ten interleaved tenths of them (None below 20 images). Counts are of all images. Nothing here trains, and the model
is measured in evaluation mode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..data.images import Images, batches, spaced
from ..errors import UserError
from ..features.base import Extractor
from ..metrics.high_frequencies import high_frequency_power, power_ratio
from ..metrics.latents import active_units, inactive_by_mean, inactive_by_variance, variance_law
from ..metrics.likelihood import estimate_likelihood
from ..metrics.maps import classify_split, edge_correlations, map_energies
from ..models.split import ambiguity
from ..models.vae import VAE
from ..objectives.base import squared_error
from ..runs import Run
from ..utils.files import write_json
from .scores import score

__all__ = ["cached_or_diagnose", "diagnose", "evaluate", "with_deviation"]


DEVIATION_BLOCKS = 10


LIKELIHOOD_IMAGES = 100  # whose likelihood is bounded: a thousand draws of each are a hundred thousand decoded


class _Outputs(NamedTuple):
    """What the model made of N images: one row an image, float64 on the CPU."""

    mean: Tensor  # (N, D)
    logvar: Tensor | None  # (N, D); None for codes without noise
    kl: Tensor  # (N,), nats
    mse: Tensor  # (N,), of the deterministic reconstruction
    mse_sampled: Tensor  # (N,), of a reconstruction from a drawn z
    high: Tensor  # (N,), spectral energy of the maps above half the Nyquist frequency
    energy: Tensor  # (N,), all of it
    variance: Tensor  # (N,), of the maps over their pixels
    overlap: Tensor  # (N,), correlation of the maps' edges with the image's
    ambiguity: Tensor  # (N,), mean over pixels and channels


def with_deviation(metric: Callable[..., Tensor], *matrices: Tensor) -> dict[str, float | None]:
    """A metric of matrices with N rows each, and its deviation over ten interleaved blocks of the rows."""
    count = len(matrices[0])
    value = float(metric(*matrices))
    if count < 2 * DEVIATION_BLOCKS:
        return {"value": value, "deviation": None}
    blocks = torch.stack([metric(*(m[i::DEVIATION_BLOCKS] for m in matrices)) for i in range(DEVIATION_BLOCKS)])
    return {"value": value, "deviation": float(blocks.std())}


def diagnose(run: Run, limit: int = 10_000, seed: int = 0) -> dict[str, Any]:
    """Measures a run's model on at most `limit` of its test images, evenly spaced, and writes evaluation.json.

    MSE is the mean over pixels and channels of images in [0, 1]; KL is in nats, summed over dimensions, mean over
    images. As many samples of the prior are compared with the images by their high frequencies (spectra.py).
    Raises UserError where the run has no model or its images cannot be read.
    """
    if limit < 1:
        raise UserError(f"limit={limit} leaves no image to measure; give a number such as 10000.")
    images, vae = run.images("test"), run.vae.eval()
    rows = spaced(len(images), limit)
    outputs = _outputs(vae, images.pixels[rows], seed)
    result: dict[str, Any] = {
        "model": _describe_model(run, vae),
        "data": _describe_data(images, len(rows), seed),
        "reconstruction": {
            "mse": with_deviation(torch.mean, outputs.mse),
            "mse_sampled": with_deviation(torch.mean, outputs.mse_sampled),
        },
        "latent": _latent(outputs),
        "split": _split(outputs) if vae.split > 1 else None,
        "samples": _samples(vae, images.pixels[rows], seed),
    }
    known = run.evaluation
    same = [
        known.get(part, {}).get(key) == result[part][key] for part, key in (("model", "fingerprint"), ("data", "sha256"))
    ]
    if all(same):  # what else is known of this model on these images
        result |= {key: known[key] for key in ("scores", "likelihood") if key in known}
    write_json(run.path / "evaluation.json", result)
    return result


def evaluate(
    run: Run,
    extractor: Extractor,
    protocols: Iterable[str] = ("clean", "paper"),
    sampler: str | None = None,
    images: int = 10_000,
    draws: tuple[int, ...] = (1, 64),
    seed: int = 0,
    **parameters: Any,
) -> dict[str, Any]:
    """Everything `diagnose` measures, the bounds on the likelihood, and the scores of each protocol.

    Arguments are those of `score`; `draws` are of the importance-weighted bounds, none leaves the likelihood out. The
    file evaluation.json is written after each part, so that what was measured is kept.
    """
    result = diagnose(run, images, seed)
    v = saved_epoch_row(run).get("v")
    if draws and v is not None:
        result["likelihood"] = estimate_likelihood(run.vae, run.images("test").pixels, v, draws, LIKELIHOOD_IMAGES, seed)
        write_json(run.path / "evaluation.json", result)
    found: dict[str, Any] | None = None
    for protocol in protocols:
        found = score(run, extractor, protocol, sampler, images, seed, found, **parameters)
        name = f"{protocol} {found['sampler']['name']} {extractor.name}"
        result["scores"] = {key: value for key, value in result.get("scores", {}).items() if key != name} | {name: found}
        write_json(run.path / "evaluation.json", result)
    return result


def saved_epoch_row(run: Run) -> dict[str, Any]:
    """The row of the history whose weights were kept; empty where there is none."""
    if not run.history:
        return {}
    return min(run.history, key=lambda row: row["val_loss"]) if run.config.best else run.history[-1]


def cached_or_diagnose(run: Run) -> dict[str, Any]:
    """The run's evaluation if it is of the model as it is now, else a new one."""
    known = run.evaluation
    if known.get("model", {}).get("fingerprint") == run.vae.fingerprint():
        return known
    return diagnose(run)


@torch.no_grad()
def _outputs(vae: VAE, pixels: Tensor, seed: int) -> _Outputs:
    """Runs the model over images; noise is drawn from `seed`, and the global generators are left as they were."""
    device, rows = next(vae.parameters()).device, []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for x in batches(pixels, device):
            posterior = vae.encode(x)
            canvas, size = vae.decode(posterior.mean), x[0].numel()
            drawn = vae.decode(posterior.rsample()).image
            errors = squared_error(canvas.image, x) / size, squared_error(drawn, x) / size
            high, energy = map_energies(canvas.masks)
            spread = canvas.masks.var((-2, -1), correction=0).mean((1, 2))
            overlap = edge_correlations(canvas.masks, x)
            row = (posterior.mean, posterior.logvar, posterior.kl(), *errors, high, energy, spread, overlap)
            rows.append([None if v is None else v.cpu().double() for v in (*row, ambiguity(canvas) / size)])
    columns = zip(*rows, strict=True)
    # Silenced: mypy does not know which of the columns may be None.
    return _Outputs(*(None if column[0] is None else torch.cat(column) for column in columns))  # type: ignore[arg-type]


def _describe_model(run: Run, vae: VAE) -> dict[str, Any]:
    last = saved_epoch_row(run)
    return {
        "preset": run.config.preset,
        "fingerprint": vae.fingerprint(),
        "shape": list(vae.shape),
        "split": vae.split,
        "latent_dim": vae.latent_dim,
        "parameters": vae.counts(),
        "seed": run.config.seed,
        "epochs": last.get("epoch"),
        "seconds": round(sum(row["seconds"] for row in run.history), 1),
    }


def _describe_data(images: Images, count: int, seed: int) -> dict[str, Any]:
    """Which images were measured, and the seed of the noise."""
    return {
        "source": images.source,
        "part": images.split,
        "images": count,
        "available": len(images),
        "sha256": images.sha256,
        "notes": list(images.notes),
        "blocks": DEVIATION_BLOCKS,
        "seed": seed,
    }


def _latent(outputs: _Outputs) -> dict[str, Any]:
    mean, logvar = outputs.mean, outputs.logvar
    counts = {
        "kl": with_deviation(torch.mean, outputs.kl),
        "inactive_by_mean": inactive_by_mean(mean),
        "active_units": active_units(mean),
    }
    if logvar is None:
        return counts
    law = variance_law(mean, logvar)
    return {
        **counts,
        "inactive_by_variance": inactive_by_variance(logvar),
        "variance_law": {"mean": float(law.mean()), "deviation": float(law.std(correction=0))},
    }


@torch.no_grad()
def _samples(vae: VAE, pixels: Tensor, seed: int) -> dict[str, Any]:
    z = torch.randn(len(pixels), vae.latent_dim, generator=torch.Generator().manual_seed(seed))
    drawn = torch.cat([high_frequency_power(vae.decode(part).image) for part in z.split(500)])
    powers = drawn, torch.cat([high_frequency_power(x) for x in batches(pixels, torch.device("cpu"))])
    return {
        "sharpness": with_deviation(lambda a, b: power_ratio(a, b).log().abs(), *powers),
        "power_ratio": with_deviation(power_ratio, *powers),
    }


def _split(outputs: _Outputs) -> dict[str, Any]:
    def ratio(high: Tensor, energy: Tensor) -> Tensor:
        return high.sum() / energy.sum().clamp_min(1e-300)  # 0 where all maps are constant

    share = with_deviation(ratio, outputs.high, outputs.energy)
    overlap = with_deviation(torch.mean, outputs.overlap)
    assert share["value"] is not None and overlap["value"] is not None
    return {
        "verdict": classify_split(share["value"], overlap["value"]),
        "high_frequency_share": share,
        "edge_overlap": overlap,
        "map_contrast": with_deviation(lambda variance: variance.mean().sqrt(), outputs.variance),
        "mean_ambiguity": with_deviation(torch.mean, outputs.ambiguity),
    }

"""Evaluation of a run: its model is measured on the test images, and the numbers are written to evaluation.json.

| key of evaluation.json                         | what it holds                                                      |
| ---------------------------------------------- | ------------------------------------------------------------------ |
| `model`, `data`                                | which model, which images, and the seed of the noise               |
| `reconstruction`, `latent`, `split`, `samples` | the metrics (metrics/registry.py); None where none of them applies |
| `not_applicable`                               | other metrics that do not apply to this model, if there are any    |
| `likelihood`                                   | bounds on the likelihood (metrics/likelihood.py)                   |
| `scores`                                       | distances from the test images (evaluation/scores.py)              |
| `cautions`                                     | what speaks against these numbers (evaluation/cautions.py)         |

Nothing is trained here, and the model is measured in evaluation mode.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ..data.images import Images, evenly_spaced
from ..errors import UserError, nearest
from ..features.base import Extractor
from ..metrics.likelihood import estimate_likelihood
from ..metrics.outputs import ModelOutputs
from ..metrics.registry import DEVIATION_BLOCKS, METRICS, Value
from ..models.vae import VAE
from ..runs import Run
from ..samplers.base import Sampler
from ..utils.files import write_json
from .cautions import find_cautions
from .protocols import Protocol
from .scores import score
from .tables import padding_words

__all__ = ["cached_or_diagnose", "check_metrics", "diagnose", "evaluate", "measured_values"]

LIKELIHOOD_IMAGES = 100  # few, since 64 draws of each image are 6,400 decoded images


def diagnose(run: Run, limit: int = 10_000, seed: int = 0, metrics: Collection[str] = ()) -> dict[str, Any]:
    """Measures the model of a run on its test images, and writes evaluation.json.

    What the file already holds of the same model and images is kept: the likelihood, the scores, and metrics that are not
    measured again but were measured on the same number of images with the same seed.

    Arguments:
        run: The run.
        limit: The largest number of test images to use; they are evenly spaced.
        seed: The seed of the noise.
        metrics: Names of `METRICS`; by default all.

    Returns:
        The content of evaluation.json.

    Raises:
        UserError: If the run has no model, if its images cannot be read, if `limit` < 1, or if a metric is unknown.
    """
    if limit < 1:
        raise UserError(f"limit={limit} leaves no image to measure; give a number such as 10000.")
    names = check_metrics(metrics)
    images, vae = run.images("test"), run.vae.eval()
    rows = evenly_spaced(len(images), limit)
    result: dict[str, Any] = {"model": _describe_model(run, vae), "data": _describe_data(images, len(rows), seed)}
    outputs = ModelOutputs(vae, images.pixels[rows], seed)
    values = {name: _checked_value(name, METRICS[name](outputs)) for name in names}
    saved = run.evaluation
    same_model = saved.get("model", {}).get("fingerprint") == result["model"]["fingerprint"]
    if same_model and _are_same_images(saved.get("data", {}), result["data"]):
        values = measured_values(saved) | values
    result |= _by_group(values)
    if same_model and saved.get("data", {}).get("sha256") == result["data"]["sha256"]:
        result |= {key: saved[key] for key in ("scores", "likelihood") if key in saved}
    result["cautions"] = find_cautions(result)
    write_json(run.path / "evaluation.json", result)
    return result


def evaluate(
    run: Run,
    extractor: Extractor,
    protocols: Iterable[str | Protocol] = ("clean",),
    sampler: str | Sampler | Sequence[str | Sampler] = "",
    images: int = 10_000,
    draws: tuple[int, ...] = (1, 64),
    seed: int = 0,
    metrics: Collection[str] = (),
) -> dict[str, Any]:
    """Measures everything: the metrics, the bounds on the likelihood, and the scores of each protocol.

    Writes evaluation.json after each part, so that an interruption loses no part that was finished.

    Arguments:
        run: The run.
        extractor: The network whose features are compared.
        protocols: Names of `PROTOCOLS`, or other protocols.
        sampler: The sampler of the bank EX-POST: a name, whose settings are those of the protocol, or an unfitted sampler;
            by default that of the run's config. Several make a score each, with the same REC and GEN.
        images: The largest number of test images to use.
        draws: The numbers of draws of the importance-weighted bounds; none leaves the likelihood out.
        seed: The seed of the noise and of the samples.
        metrics: Names of `METRICS`; by default all.

    Returns:
        The content of evaluation.json.

    Raises:
        UserError: As `diagnose` and `score` do.
    """
    result = diagnose(run, images, seed, metrics)
    v = saved_epoch_row(run).get("v")
    if draws and v is not None:
        pixels = run.images("test").pixels
        result["likelihood"] = estimate_likelihood(run.vae, pixels, v, draws, LIKELIHOOD_IMAGES, seed)
        result["cautions"] = find_cautions(result)
        write_json(run.path / "evaluation.json", result)
    scores: dict[str, Any] | None = None
    samplers = [sampler] if isinstance(sampler, str | Sampler) else sampler
    for protocol, each in itertools.product(protocols, samplers):
        scores = score(run, extractor, protocol, each, images, seed, scores)
        name = " ".join([scores["protocol"], scores["sampler"]["name"], extractor.name, *padding_words(scores)])
        others = {key: value for key, value in result.get("scores", {}).items() if key != name}
        result["scores"] = others | {name: scores}
        write_json(run.path / "evaluation.json", result)
    return result


def cached_or_diagnose(run: Run) -> dict[str, Any]:
    """Returns the run's evaluation if it is of the present model, else a new one. Metrics that it lacks are measured.

    Raises:
        UserError: If there is no evaluation of the present model and the images cannot be read, or as a metric does.
    """
    saved = run.evaluation
    if saved.get("model", {}).get("fingerprint") != run.vae.fingerprint():
        return diagnose(run)
    missing = METRICS.keys() - measured_values(saved).keys()
    if not missing:
        return saved
    try:
        images = run.images("test")
    except UserError:  # the images are gone: what is known of the model is still true
        return saved
    if images.sha256 != saved["data"].get("sha256"):  # it is an evaluation on other images
        return diagnose(run)
    return diagnose(run, saved["data"]["images"], saved["data"]["seed"], missing)


def saved_epoch_row(run: Run) -> dict[str, Any]:
    """Returns the row of the history of the epoch whose weights were saved; an empty dict if there is no history."""
    rows = run.history
    if not rows:
        return {}
    if not run.config.training.best:
        return rows[-1]
    first = max((i for i, row in enumerate(rows) if row.get("restored")), default=0)  # after the loss of a better one
    return min(rows[first:], key=lambda row: row.get("val_loss", math.inf))


def _are_same_images(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Returns whether two descriptions are of the same images and draws; notes, such as of a download, may differ."""
    return all(one.get(key) == other.get(key) for key in ("sha256", "images", "blocks", "seed"))


# ---------------------------------------------------------------- metrics


def check_metrics(names: Collection[str]) -> list[str]:
    """Returns names of metrics in the order of `METRICS`, all if none is given; raises UserError for an unknown name."""
    for name in names:
        if name not in METRICS:
            raise UserError(f"no metric is called {name!r}; {nearest(name, METRICS)}")
    return [name for name in METRICS if name in names or not names]


def measured_values(evaluation: Mapping[str, Any]) -> dict[str, Value]:
    """Returns the value of each metric that an evaluation holds, by name; None for a metric that does not apply."""
    values: dict[str, Value] = {}
    for name, metric in METRICS.items():
        if metric.group not in evaluation:
            continue
        group = evaluation[metric.group] or {}
        if name in group or evaluation[metric.group] is None or name in evaluation.get("not_applicable", ()):
            values[name] = group.get(name)
    return values


def _by_group(values: Mapping[str, Value]) -> dict[str, Any]:
    """Returns the values of metrics as evaluation.json holds them: by group, without those that do not apply."""
    result: dict[str, Any] = {}
    for name, metric in METRICS.items():
        if name in values:
            group = result.setdefault(metric.group, {})
            if values[name] is not None:
                group[name] = values[name]
    for group in result:
        if all(name in values and values[name] is None for name, metric in METRICS.items() if metric.group == group):
            result[group] = None
    others = [name for name, value in values.items() if value is None and result[METRICS[name].group] is not None]
    return result | ({"not_applicable": others} if others else {})


def _checked_value(name: str, value: Value) -> Value:
    if value is not None and not isinstance(value, int | float | str | Mapping):
        raise UserError(
            f"the metric {name!r} returned a {type(value).__name__}, which evaluation.json cannot hold; return a number, "
            'such as float(value), or {"value": ..., "deviation": ...}, or a word, or None.'
        )
    return value


# ---------------------------------------------------------------- where the numbers come from


def _describe_model(run: Run, vae: VAE) -> dict[str, Any]:
    last = saved_epoch_row(run)
    return {
        "preset": run.config.preset,
        "fingerprint": vae.fingerprint(),
        "shape": list(vae.shape),
        "split": vae.split,
        "latent_dim": vae.latent_dim,
        "parameters": vae.counts(),
        "seed": run.config.training.seed,
        "epochs": last.get("epoch"),
        "steps": last.get("step"),
        "seconds": round(sum(row["seconds"] for row in run.history), 1),
    }


def _describe_data(images: Images, count: int, seed: int) -> dict[str, Any]:
    return {
        "source": images.source,
        "part": images.part,
        "images": count,
        "available": len(images),
        "sha256": images.sha256,
        "notes": list(images.notes),
        "blocks": DEVIATION_BLOCKS,
        "seed": seed,
    }

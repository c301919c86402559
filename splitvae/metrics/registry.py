"""The metrics by name: what `splitvae evaluate` measures, writes to evaluation.json and prints.

A metric is a function of `ModelOutputs` (metrics/outputs.py) with its place in evaluation.json and in the tables. To add
one, write the function in a file of its own and name it in `METRICS`, or register it from outside the library:

    def worst_error(outputs):
        return float(outputs.mse.max())

    splitvae.metrics.METRICS["worst_mse"] = Metric("reconstruction", "largest test MSE of an image", worst_error)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UserError
from .correlations import excess_correlation
from .high_frequencies import power_ratio
from .latents import active_units, inactive_by_mean, inactive_by_variance, variance_law
from .maps import classify_split
from .outputs import ModelOutputs

__all__ = ["METRICS", "Metric", "Value", "with_deviation"]

DEVIATION_BLOCKS = 10  # each holds every tenth image
OTHER_KEYS = ("model", "data", "not_applicable", "likelihood", "scores", "cautions")  # of evaluation.json
Value = float | str | Mapping[str, float | None] | None


@dataclass(frozen=True)
class Metric:
    """A measurement of a model on its test images. Calling it with `ModelOutputs` returns its value.

    Arguments:
        group: The key of evaluation.json under which the value is written, and the section of the tables:
            "reconstruction", "latent", "samples", "split" or a new one.
        title: What the tables call it.
        measure: Returns a number; or {"value", "deviation"}, as `with_deviation` does; or a word; or None if the metric
            does not apply to this model.
        best: Which value is better, "low" or "high"; "" where neither is.

    Raises:
        UserError: If evaluation.json holds something else under the key `group`.
    """

    group: str
    title: str
    measure: Callable[[ModelOutputs], Value]
    best: str = ""

    def __post_init__(self) -> None:
        if self.group in OTHER_KEYS:
            raise UserError(f'group={self.group!r} is another key of evaluation.json; give a name such as "samples".')

    def __call__(self, outputs: ModelOutputs) -> Value:
        return self.measure(outputs)


def with_deviation(function: Callable[..., Tensor], *matrices: Tensor) -> dict[str, float | None]:
    """Returns the value of a function of all images, and its standard error, from ten interleaved tenths of them.

    The error is the standard deviation of the values of the tenths by the root of ten.

    Arguments:
        function: Returns a tensor with one element, such as `torch.mean`.
        matrices: The arguments of the function; each has one row per image.

    Returns:
        {"value", "deviation"}; the deviation is None below 20 images.
    """
    count = len(matrices[0])
    value = float(function(*matrices))
    if count < 2 * DEVIATION_BLOCKS:
        return {"value": value, "deviation": None}
    blocks = [function(*(m[i::DEVIATION_BLOCKS] for m in matrices)) for i in range(DEVIATION_BLOCKS)]
    return {"value": value, "deviation": float(torch.stack(blocks).std() / DEVIATION_BLOCKS**0.5)}


# ---------------------------------------------------------------- measurements


def _variance_law(outputs: ModelOutputs) -> Value:
    if outputs.logvar is None:
        return None
    law = variance_law(outputs.mean, outputs.logvar)
    return {"mean": float(law.mean()), "deviation": float(law.std(correction=0))}


def _sharpness(sample_power: Tensor, image_power: Tensor) -> Tensor:
    return power_ratio(sample_power, image_power).log().abs()


def _energy_share(high: Tensor, energy: Tensor) -> Tensor:
    return high.sum() / energy.sum().clamp_min(1e-300)  # 0 where all maps are constant


def _root_mean(variance: Tensor) -> Tensor:
    return variance.mean().sqrt()


def _split_type(outputs: ModelOutputs) -> str:
    share = _energy_share(outputs.map_energy_high, outputs.map_energy)
    return classify_split(float(share), float(outputs.edge_correlation.mean()))


def _if_split(measure: Callable[[ModelOutputs], Value]) -> Callable[[ModelOutputs], Value]:
    """Returns a measurement that does not apply to unsplit models."""
    return lambda outputs: measure(outputs) if outputs.split > 1 else None


METRICS: dict[str, Metric] = {
    "mse": Metric(
        "reconstruction",
        "test MSE, decoded from the posterior mean",
        lambda outputs: with_deviation(torch.mean, outputs.mse),
        "low",
    ),
    "mse_sampled": Metric(
        "reconstruction",
        "test MSE, decoded from a draw of the posterior",
        lambda outputs: with_deviation(torch.mean, outputs.mse_sampled),
        "low",
    ),
    "kl": Metric("latent", "KL, nats an image", lambda outputs: with_deviation(torch.mean, outputs.kl)),
    "inactive_by_mean": Metric(
        "latent", "inactive by mean: var μ < 0.05", lambda outputs: inactive_by_mean(outputs.mean), "low"
    ),
    "active_units": Metric(
        "latent", "active units: var μ > 0.01 (Burda et al.)", lambda outputs: active_units(outputs.mean), "high"
    ),
    "inactive_by_variance": Metric(
        "latent",
        "inactive by variance: mean σ² > 0.95",
        lambda outputs: None if outputs.logvar is None else inactive_by_variance(outputs.logvar),
        "low",
    ),
    "variance_law": Metric("latent", "variance law: var μ + mean σ², 1 at an optimum", _variance_law),
    "verdict": Metric("split", "the split is", _if_split(_split_type)),
    "high_frequency_share": Metric(
        "split",
        "share of the map's energy above half the Nyquist frequency",
        _if_split(lambda outputs: with_deviation(_energy_share, outputs.map_energy_high, outputs.map_energy)),
    ),
    "edge_overlap": Metric(
        "split",
        "correlation of the map's edges with the image's",
        _if_split(lambda outputs: with_deviation(torch.mean, outputs.edge_correlation)),
    ),
    "map_contrast": Metric(
        "split",
        "deviation of the map over its pixels",
        _if_split(lambda outputs: with_deviation(_root_mean, outputs.map_variance)),
    ),
    "mean_ambiguity": Metric(
        "split",
        "ambiguity: by how much blending lowers the components' MSE",
        _if_split(lambda outputs: with_deviation(torch.mean, outputs.ambiguity)),
    ),
    "sharpness": Metric(
        "samples",
        "sharpness: |log ratio| of high-frequency power, 0 is right",
        lambda outputs: with_deviation(_sharpness, outputs.sample_power, outputs.image_power),
        "low",
    ),
    "power_ratio": Metric(
        "samples",
        "that ratio to the images' power: below 1 is blurred",
        lambda outputs: with_deviation(power_ratio, outputs.sample_power, outputs.image_power),
    ),
    "excess_correlation": Metric(
        "samples",
        "correlation of two samples minus that of two images, 0 is right",
        lambda outputs: with_deviation(excess_correlation, outputs.sample_directions, outputs.image_directions),
    ),
}

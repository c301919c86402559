"""What was measured, in words and in tables of text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..utils.text import aligned, number, spread

__all__ = [
    "ROWS",
    "Comparison",
    "comparison_tables",
    "describe_score",
    "evaluation_table",
    "format_value",
    "image_sets_table",
    "score_rows",
    "score_table",
    "table_rows",
]


ROWS = {  # heading: what, and where it is in evaluation.json
    "Reconstruction": {
        "test MSE, decoded from the posterior mean": "reconstruction mse",
        "test MSE, decoded from a draw of the posterior": "reconstruction mse_sampled",
    },
    "Latent variables": {
        "KL, nats an image": "latent kl",
        "latent variables": "model latent_dim",
        "inactive by mean: var μ < .05": "latent inactive_by_mean",
        "inactive by variance: mean σ² > .95": "latent inactive_by_variance",
        "active units: var μ > .01 (Burda et al.)": "latent active_units",
        "variance law: var μ + mean σ², 1 at an optimum": "latent variance_law",
    },
    "Samples from the prior": {
        "sharpness: |log ratio| of high-frequency power, 0 is right": "samples sharpness",
        "that ratio to the images' power: below 1 is blurred": "samples power_ratio",
    },
    "Split": {
        "the split is": "split verdict",
        "share of the map's energy above half the Nyquist frequency": "split high_frequency_share",
        "correlation of the map's edges with the image's": "split edge_overlap",
        "deviation of the map over its pixels": "split map_contrast",
        "ambiguity: by how much blending lowers the components' MSE": "split mean_ambiguity",
    },
    "Likelihood": {
        "rate, nats an image": "likelihood rate",
        "distortion of the bytes, nats an image": "likelihood distortion",
        "bits a dimension, of rate and distortion": "likelihood bits_per_dimension",
        "bound on the log-likelihood, 1 draw, nats": "likelihood draws 1",
        "the same with 64 draws": "likelihood draws 64",
        "the same with 1024 draws": "likelihood draws 1024",
    },
    "Parameters": {
        "trainable parameters": "model parameters trainable",
        "parameters with running statistics": "model parameters total",
    },
}


NOISE = ("inactive_by_variance", "variance_law")  # which codes without noise do not have


COLUMN_TITLES = {"blend": "x̂", "mix": "a random component an image"}


DISTANCE_TITLES = {
    "fid": "Fréchet distance",
    "fid_infinity": "for infinitely many images",
    "kid": "kernel distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}


def evaluation_table(result: Mapping[str, Any]) -> str:
    """An evaluation as lines of text."""
    data = result["data"]
    lines = [f"Measured on {data['images']:,} {data['part']} images of {data['source']}:"]
    for rows in table_rows(result).values():
        lines += [f"  {what:<60}{format_value(result, where)}" for what, where in rows.items()]
    return "\n".join(lines)


def table_rows(result: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The `ROWS` that an evaluation has something to say of, the likelihood's with the number of its images."""
    found = dict(ROWS)
    bounded = found.pop("Likelihood")
    if result.get("likelihood"):
        found[f"Likelihood of {result['likelihood']['images']} images"] = bounded
    return found


def format_value(result: Mapping[str, Any], where: str) -> str:
    """What an evaluation holds at a place of `ROWS`, in words."""
    value: Any = result
    for key in where.split():
        if key == "split" and result["model"]["split"] == 1:
            return "not applicable"
        if key in NOISE and "latent" in result and "variance_law" not in result["latent"]:
            return "not applicable"
        value = value.get(key)
        if value is None:
            return "not measured"
    if isinstance(value, Mapping):
        return f"{number(value['value'] if 'value' in value else value['mean'])} {spread(value)}".strip()
    return f"{value:,}" if isinstance(value, int) else str(value)


# ---------------------------------------------------------------- scores


def column_title(column: str) -> str:
    """A column of scores in words."""
    return COLUMN_TITLES.get(column, f"{column} alone")


def describe_score(score: Mapping[str, Any]) -> str:
    """Where scores come from, in one line."""
    return f"{describe_images(score)}; protocol {score['protocol']}; EX-POST by {describe_sampler(score)}"


def describe_images(score: Mapping[str, Any]) -> str:
    """What generated images are compared with, and in which features."""
    real, extractor = score["real"], score["extractor"]
    return (
        f"{score['generated']:,} images against {real['images']:,} {real['part']} images of {real['source']} "
        f"({real['sha256']}); features {extractor['name']} {extractor['fingerprint']}; seed {score['seed']}"
    )


def describe_sampler(score: Mapping[str, Any]) -> str:
    """The fitted density in words."""
    sampler = score["sampler"]
    settings = sampler["parameters"] | sampler["facts"].get("chosen", {})
    shown = ("components", "covariance", "epochs")
    found = [f"{settings[k]} {k}" for k in shown if settings.get(k) is not None]
    return f"{sampler['name']} ({', '.join(found)})" if found else sampler["name"]


def score_rows(score: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """A name and a cell for each bank: the Fréchet distance of every column, then the blend's other distances."""
    banks = score["banks"].values()
    rows = [
        (f"Fréchet distance of {column_title(column)}", [format_measured(bank[column]["fid"]) for bank in banks])
        for column in score["banks"]["GEN"]
    ]
    others = {name: what for name, what in DISTANCE_TITLES.items() if name != "fid"}
    return rows + [
        (f"{what}, of x̂", [format_measured(bank["blend"][name]) for bank in banks]) for name, what in others.items()
    ]


def score_table(score: Mapping[str, Any]) -> str:
    """The scores of one protocol as lines of text."""
    rows = [[what, *cells] for what, cells in score_rows(score)]
    lines = [f"  {line}" for line in aligned(["", *score["banks"]], rows).splitlines()]
    notes = [f"  Note: {note}" for note in (*score["notes"], score["extractor"]["note"]) if note]
    return "\n".join([describe_score(score) + ".", *lines, *notes])


def image_sets_table(result: Mapping[str, Any]) -> str:
    """The distances of two sets of images as lines of text."""
    real, others, extractor = result["real"], result["generated"], result["extractor"]
    lines = [
        f"{others['images']:,} images of {others['source']} against {real['images']:,} of {real['source']}; features "
        f"{extractor['name']} {extractor['fingerprint']}; seed {result['seed']}."
    ]
    lines += [f"  {what:<36}{format_measured(result['distances'][name])}" for name, what in DISTANCE_TITLES.items()]
    lines += [f"  Note: {note}" for note in (*result["notes"], extractor["note"]) if note]
    return "\n".join(lines)


class Comparison(NamedTuple):
    """A table of several systems, whose numbers are of the same images in the same features."""

    about: str
    headings: list[str]
    rows: list[list[str]]


def comparison_tables(groups: Mapping[str, Sequence[Mapping[str, Any]]], protocol: str) -> list[Comparison]:
    """Tables of several systems, each with one evaluation a seed: one table for each kind of features and images.

    Cells are mean ± deviation over seeds of the Fréchet distance, the last of sharpness (spectra.py); of one seed, with its
    own deviation.
    """
    kinds: dict[str, dict[tuple[str, str], list[tuple[Mapping[str, Any], Mapping[str, Any]]]]] = {}
    for name, evaluations in groups.items():
        for evaluation in evaluations:
            for score in evaluation.get("scores", {}).values():
                if score["protocol"] == protocol:
                    systems = kinds.setdefault(describe_images(score), {})
                    systems.setdefault((name, score["sampler"]["name"]), []).append((evaluation, score))
    headings = [
        "system",
        "parameters",
        "density",
        "seeds",
        "REC x̂",
        "GEN x̂",
        "GEN best part",
        "EX-POST x̂",
        "EX-POST best part",
        "GEN sharpness",
    ]
    tables = []
    for about, systems in kinds.items():
        rows = []
        for (name, density), members in systems.items():
            scores = [score for _, score in members]
            cells = [name, f"{members[0][0]['model']['parameters']['total']:,}", density, str(len(scores))]
            sharp = [evaluation.get("samples", {}).get("sharpness") for evaluation, _ in members]
            rows.append(cells + _frechet_cells(scores) + [_format_over_seeds(sharp) if all(sharp) else "-"])
        tables.append(Comparison(about, headings, rows))
    return tables


def _frechet_cells(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """The Fréchet distances of one system: of the blend, and of its best component or mix."""
    parts = [c for c in scores[0]["banks"]["GEN"] if c != "blend"]
    cells = []
    for bank in ("REC", "GEN", "EX-POST"):
        cells.append(_format_over_seeds([s["banks"][bank]["blend"]["fid"] for s in scores]))
        if bank != "REC":
            sums = {c: sum(s["banks"][bank][c]["fid"]["value"] for s in scores) for c in parts}
            best = min(sums, key=sums.__getitem__, default="")
            cells.append(
                _format_over_seeds([s["banks"][bank][best]["fid"] for s in scores]) + f" ({best})" if best else "-"
            )
    return cells


def _format_over_seeds(values: Sequence[Mapping[str, float]]) -> str:
    if len(values) == 1:
        return format_measured(values[0])
    numbers = [v["value"] for v in values]
    return f"{number(statistics.fmean(numbers))} ± {number(statistics.stdev(numbers), 2)}"


def format_measured(measured: Mapping[str, Any]) -> str:
    if measured["value"] is None:
        return "not measured"
    return f"{number(measured['value'])} {spread(measured)}".strip()

"""Tables of text: an evaluation, the scores of a protocol, the distances of two sets of images, and several systems."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..metrics.registry import METRICS
from ..utils.text import align_columns, count_noun, format_deviation, format_number, shorten_path
from .cautions import find_cautions, qualify

__all__ = [
    "Comparison",
    "better_value",
    "comparison_tables",
    "describe_score",
    "describe_size",
    "evaluation_table",
    "format_measured",
    "format_over_seeds",
    "format_value",
    "image_sets_table",
    "padding_words",
    "score_rows",
    "score_table",
    "table_rows",
]

GROUP_HEADINGS = {  # of the groups of METRICS, in the order of the table
    "reconstruction": "Reconstruction",
    "latent": "Latent variables",
    "samples": "Samples from the prior",
    "split": "Split",
}


# Rows that are not metrics: the title, and the path in evaluation.json.
LATENT_ROWS = {"latent variables": "model latent_dim"}

LIKELIHOOD_ROWS = {
    "rate, nats an image": "likelihood rate",
    "distortion of the bytes, nats an image": "likelihood distortion",
    "bits a dimension, of rate and distortion": "likelihood bits_per_dimension",
}

PARAMETER_ROWS = {
    "trainable parameters": "model parameters trainable",
    "parameters with running statistics": "model parameters total",
}

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


# ---------------------------------------------------------------- an evaluation

TITLE_WIDTH = 66  # of a row, with the spaces before its number


def evaluation_table(evaluation: Mapping[str, Any]) -> str:
    """Returns an evaluation as lines of text, with its cautions at the end."""
    data = evaluation["data"]
    lines = [f"Measured on {count_noun(data['images'], data['part'] + ' image')} of {shorten_path(data['source'])}:"]
    for rows in table_rows([evaluation]).values():
        lines += [f"  {title:<{TITLE_WIDTH}}{format_value(evaluation, path)}" for title, path in rows.items()]
    return "\n".join([*lines, *(f"  Caution: {caution}" for caution in find_cautions(evaluation))])


def table_rows(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Returns the rows of a table of evaluations: {heading: {title: path in evaluation.json}}.

    The likelihood comes last, with the number of images and every number of draws that was measured, or is left out if no
    evaluation has it.
    """
    rows: dict[str, dict[str, str]] = {}
    for group in [*GROUP_HEADINGS, *(metric.group for metric in METRICS.values())]:
        metrics = {metric.title: f"{group} {name}" for name, metric in METRICS.items() if metric.group == group}
        rows[GROUP_HEADINGS.get(group, group.capitalize())] = (LATENT_ROWS if group == "latent" else {}) | metrics
    rows["Parameters"] = PARAMETER_ROWS
    likelihoods = [evaluation["likelihood"] for evaluation in evaluations if evaluation.get("likelihood")]
    if likelihoods:
        images = " or ".join(map(str, sorted({likelihood["images"] for likelihood in likelihoods})))
        draws = sorted({int(count) for likelihood in likelihoods for count in likelihood["draws"]})
        bounds = {f"bound on the log-likelihood, nats, {count_noun(n, 'draw')}": f"likelihood draws {n}" for n in draws}
        rows[f"Likelihood of {images} image{'' if images == '1' else 's'}"] = LIKELIHOOD_ROWS | bounds
    return rows


def better_value(path: str) -> str:
    """Returns which value at a path of `table_rows` is better, "low" or "high"; "" where neither is."""
    group, *_, name = path.split()
    if group == "likelihood":
        return "low" if name == "bits_per_dimension" else "high" if " draws " in path else ""
    return METRICS[name].best if name in METRICS and METRICS[name].group == group else ""


def format_value(evaluation: Mapping[str, Any], path: str) -> str:
    """Returns the value at a path of `table_rows` as text; "not applicable" or "not measured" if there is none."""
    return qualify(_format_plain_value(evaluation, path), evaluation, path)


def _format_plain_value(evaluation: Mapping[str, Any], path: str) -> str:
    value: Any = evaluation
    for key in path.split():
        if key in evaluation.get("not_applicable", ()) or value.get(key, 0) is None:
            return "not applicable"
        if key not in value:
            return "not measured"
        value = value[key]
    if isinstance(value, Mapping):
        return f"{format_number(value['value'] if 'value' in value else value['mean'])} {format_deviation(value)}".strip()
    if isinstance(value, float):
        return format_number(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def format_measured(measured: Mapping[str, Any]) -> str:
    """Returns a {"value", "deviation"} as "value ± deviation"; without a value, that and the "reason" if it has one."""
    if measured["value"] is None:
        return f"not measured ({measured['reason']})" if "reason" in measured else "not measured"
    return f"{format_number(measured['value'])} {format_deviation(measured)}".strip()


# ---------------------------------------------------------------- scores


def column_title(column: str) -> str:
    """Returns what the tables call a column of images: the blend, a component, or the mix of components."""
    return COLUMN_TITLES.get(column, f"{column} alone")


def describe_score(score: Mapping[str, Any]) -> str:
    """Returns where a score comes from, in one line: images, features, protocol and sampler."""
    return f"{describe_images(score)}; protocol {score['protocol']}; EX-POST by {describe_sampler(score)}"


def describe_images(score: Mapping[str, Any]) -> str:
    """Returns which images are compared with which, and in which features, in one line."""
    real, extractor = score["real"], score["extractor"]
    size = f"{real['shape'][1]} x {real['shape'][2]} pixels"
    return (
        f"{count_noun(score['generated'], 'image')} against {count_noun(real['images'], real['part'] + ' image')} of "
        f"{shorten_path(real['source'])} "
        f"({real['sha256']}), {', '.join([size, *padding_words(score)])}; "
        f"features {extractor['name']} {extractor['fingerprint']}; seed {score['seed']}"
    )


def padding_words(score: Mapping[str, Any]) -> list[str]:
    """Returns ["padding kept"] for a score of padded images, and [] for one of images without padding."""
    return ["padding kept"] if score["padding"] == "keep" else []


def describe_sampler(score: Mapping[str, Any]) -> str:
    """Returns the name of the fitted sampler, with its size, its iterations and its epochs where it has them."""
    sampler = score["sampler"]
    parameters = sampler["parameters"] | sampler["fit_info"].get("chosen", {}) | sampler["fit_info"]
    names = ("components", "covariance", "iterations", "epochs")
    shown = [f"{parameters[key]} {key}" for key in names if parameters.get(key) is not None]
    return f"{sampler['name']} ({', '.join(shown)})" if shown else sampler["name"]


def describe_size(scores: Sequence[Mapping[str, Any]]) -> str:
    """Returns the numbers of components of fitted mixtures, such as "20" or "50, 100, 100", and "-" for other samplers."""
    parameters = [score["sampler"]["parameters"] | score["sampler"]["fit_info"].get("chosen", {}) for score in scores]
    sizes = [each["components"] for each in parameters if each.get("components")]
    return ", ".join(map(str, sizes[:1] if len(set(sizes)) == 1 else sizes)) or "-"


def score_rows(score: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Returns the rows of a score's table, each with one cell per bank.

    The first rows are the Fréchet distance of every column of images, the others are the other distances of the blend.
    """
    banks = score["banks"].values()
    rows = [
        (f"Fréchet distance of {column_title(column)}", [format_measured(bank[column]["fid"]) for bank in banks])
        for column in score["banks"]["GEN"]
    ]
    for name, title in DISTANCE_TITLES.items():
        if name != "fid":
            rows.append((f"{title}, of x̂", [format_measured(bank["blend"][name]) for bank in banks]))
    return rows


def score_table(score: Mapping[str, Any]) -> str:
    """Returns the scores of one protocol as lines of text."""
    rows = [[title, *cells] for title, cells in score_rows(score)]
    lines = [f"  {line}" for line in align_columns(["", *score["banks"]], rows).splitlines()]
    notes = [f"  Note: {note}" for note in (*score["notes"], score["extractor"]["note"]) if note]
    return "\n".join([describe_score(score) + ".", *lines, *notes])


def image_sets_table(result: Mapping[str, Any]) -> str:
    """Returns the distances of two sets of images as lines of text."""
    real, others, extractor = result["real"], result["generated"], result["extractor"]
    lines = [
        f"{count_noun(others['images'], 'image')} of {shorten_path(others['source'])} against {real['images']:,} of "
        f"{shorten_path(real['source'])}; features "
        f"{extractor['name']} {extractor['fingerprint']}; seed {result['seed']}."
    ]
    lines += [f"  {title:<36}{format_measured(result['distances'][name])}" for name, title in DISTANCE_TITLES.items()]
    lines += [f"  Note: {note}" for note in (*result["notes"], extractor["note"]) if note]
    return "\n".join(lines)


# ---------------------------------------------------------------- several systems


class Comparison(NamedTuple):
    """A table of several systems, whose numbers are of the same images in the same features.

    Arguments:
        description: What the numbers are, the images and the features.
        headings: The headings of the columns.
        rows: The cells, one row per system and sampler.
        compared: The headings of the columns that are compared.
        best: Which of their numbers are better, "low" or "high".
    """

    description: str
    headings: list[str]
    rows: list[list[str]]
    compared: list[str]
    best: str


ROW_HEADINGS = ["system", "parameters", "density", "components", "seeds"]
DISTANCE_HEADINGS = ["REC x̂", "GEN x̂", "GEN best part", "EX-POST x̂", "EX-POST best part", "GEN sharpness"]
SHARES = ("precision", "density", "recall", "coverage")
SHARE_BANKS = ("GEN", "EX-POST")
BEST_PART_NOTE = "the best part of each run was chosen by these distances themselves"

Members = list[tuple[Mapping[str, Any], Mapping[str, Any]]]  # the evaluation and the score of each seed


def comparison_tables(groups: Mapping[str, Sequence[Mapping[str, Any]]], protocol: str) -> list[Comparison]:
    """Returns tables that compare systems, two tables for each kind of images and features: distances, and shares.

    Cells are the Fréchet distance and the sharpness in the first table, and in the second, of x̂, precision beside density
    and recall beside coverage: the mean over seeds ± the standard deviation over seeds, or for one seed the value ± its own
    deviation. The best part is the component or mix of the smallest distance, in each run; components of different runs
    are exchangeable.

    Arguments:
        groups: The evaluations of each system, one per seed.
        protocol: The name of the protocol.
    """
    kinds: dict[str, dict[tuple[str, str], Members]] = {}
    for name, evaluations in groups.items():
        for evaluation in evaluations:
            for score in evaluation.get("scores", {}).values():
                if score["protocol"] == protocol:
                    systems = kinds.setdefault(describe_images(score), {})
                    systems.setdefault((name, score["sampler"]["name"]), []).append((evaluation, score))
    share_headings = [f"{bank} {share}" for bank in SHARE_BANKS for share in SHARES]
    tables = []
    for description, systems in kinds.items():
        distances, shares = [], []
        for (name, sampler), members in systems.items():
            scores = [score for _, score in members]
            parameters = f"{members[0][0]['model']['parameters']['total']:,}"
            head = [name, parameters, sampler, describe_size(scores), str(len(scores))]
            distances.append([*head, *_frechet_cells(scores), _sharpness_cell(members)])
            cells = [
                format_over_seeds([score["banks"][bank]["blend"][share] for score in scores])
                for bank in SHARE_BANKS
                for share in SHARES
            ]
            shares.append([name, sampler, str(len(scores)), *cells])
        is_split = any(len(score["banks"]["GEN"]) > 1 for members in systems.values() for _, score in members)
        what = f"Fréchet distances{f'; {BEST_PART_NOTE}' if is_split else ''}"
        tables.append(
            Comparison(f"{what}; {description}", ROW_HEADINGS + DISTANCE_HEADINGS, distances, DISTANCE_HEADINGS, "low")
        )
        headings = ["system", "density", "seeds", *share_headings]
        tables.append(Comparison(f"Shares, of x̂; {description}", headings, shares, share_headings, "high"))
    return tables


def _frechet_cells(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the Fréchet distances of one system: of the blend, and of the best component or mix of each run."""
    cells = []
    for bank in ("REC", "GEN", "EX-POST"):
        banks = [score["banks"][bank] for score in scores]
        cells.append(format_over_seeds([columns["blend"]["fid"] for columns in banks]))
        if bank != "REC":
            parts = [{name: column["fid"] for name, column in columns.items() if name != "blend"} for columns in banks]
            best = [min(part, key=lambda name: part[name]["value"]) for part in parts if part]  # used at once
            distances = [part[name] for part, name in zip(parts, best, strict=False)]
            cells.append(f"{format_over_seeds(distances)} ({', '.join(best)})" if best else "-")
    return cells


def _sharpness_cell(members: Members) -> str:
    """Returns the sharpness of samples of the prior, "-" if a run has none."""
    samples = [evaluation.get("samples") or {} for evaluation, _ in members]
    measured = all("sharpness" in each for each in samples)
    return format_over_seeds([each["sharpness"] for each in samples]) if measured else "-"


def format_over_seeds(measured: Sequence[Mapping[str, float | None]]) -> str:
    """Returns "mean ± deviation over seeds" of {"value", "deviation"}, for one seed that value ± its own deviation."""
    if len(measured) == 1:
        return format_measured(measured[0])
    values = [each["value"] for each in measured if each["value"] is not None]
    if len(values) < len(measured):
        return "-"
    return f"{format_number(statistics.fmean(values))} ± {format_number(statistics.stdev(values), 2)}"

"""The columns of the tables: what each shows of the runs of a system. To add one, add a line to `COLUMNS`.

A cell of measured numbers is the mean over seeds ± the sample deviation over seeds, or for one seed the value ± the
deviation of its measurement. A cell that only some of the seeds have a number for says of how many it is. Components of
different runs are exchangeable; so "nearest" is, in each run, the component of the smallest distance, and "farthest" that
of the largest.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..evaluation.tables import describe_size, format_over_seeds
from ..utils.text import count_noun, format_number
from .experiment import Record, System

__all__ = ["COLUMNS", "FUSED_MEMBERS", "Cell", "Column", "Estimate", "score_of"]

FUSED_MEMBERS = 4  # images whose evidence is fused, in probes of a content
Measured = Mapping[str, float | None]  # {"value", "deviation"}


class Estimate(NamedTuple):
    """A mean over runs.

    Arguments:
        mean: The mean.
        error: Its standard error; None where nothing is known of it, as of a count in one run.
        runs: The number of runs.
    """

    mean: float
    error: float | None
    runs: int


class Cell(NamedTuple):
    """The text of a cell, and the number by which the best of its column is found; None where there is none."""

    text: str
    value: float | None = None


class Column(NamedTuple):
    """A column of a table.

    Arguments:
        title: The heading.
        cell: Returns the cell of a system and its records, one for each seed.
        best: Which number is best: "low", "high", or "" where none is.
        read: Returns the number of a record; a column without numbers returns None.
    """

    title: str
    cell: Callable[[System, Sequence[Record]], Cell]
    best: str = ""
    read: Callable[[Record], Any] = lambda record: None

    def values(self, records: Sequence[Record]) -> list[Measured]:
        """Returns the numbers of those records that have one."""
        values = [_measured(self.read(record)) for record in records]
        return [value for value in values if value is not None and value["value"] is not None]

    def estimate(self, records: Sequence[Record]) -> Estimate | None:
        """Returns the mean over those records that have a number; None if none has.

        The standard error is the deviation over records by the root of their number. It is no less than what the
        deviations of the measurements leave, since few seeds may agree by chance, nor than what rounding leaves of counts,
        √(1/12); for one record it is what the measurement leaves.
        """
        values = self.values(records)
        if not values:
            return None
        numbers, deviations = ([float(value[key] or 0.0) for value in values] for key in ("value", "deviation"))
        count = len(numbers)
        measured = sum(d * d for d in deviations) ** 0.5 / count
        if count > 1:
            if not measured and all(number.is_integer() for number in numbers):
                measured = (1 / 12 / count) ** 0.5
            return Estimate(statistics.fmean(numbers), max(statistics.stdev(numbers) / count**0.5, measured), count)
        return Estimate(numbers[0], measured or None, 1)


# ---------------------------------------------------------------- numbers of a record


def score_of(record: Record, sampler: str = "") -> Mapping[str, Any] | None:
    """Returns the score of a record by the name of its sampler, or the beginning of it; "" is the first score."""
    scores = record["evaluation"].get("scores", {}).values()
    return next((score for score in scores if score["sampler"]["name"].startswith(sampler)), None)


def _distance(
    bank: str, column: str = "blend", name: str = "fid", sampler: str = ""
) -> Callable[[Record], Measured | None]:
    """Returns a function of a record that returns a distance of a bank of images."""

    def read(record: Record) -> Measured | None:
        score = score_of(record, sampler if bank == "EX-POST" else "")
        return None if score is None else score["banks"].get(bank, {}).get(column, {}).get(name)

    return read


def _component(bank: str, sampler: str = "", *, farthest: bool = False) -> Callable[[Record], Measured | None]:
    """Returns a function of a record that returns the distance of its nearest component, or of its farthest."""

    def read(record: Record) -> Measured | None:
        score = score_of(record, sampler if bank == "EX-POST" else "")
        if score is None:
            return None
        parts = [c["fid"] for name, c in score["banks"].get(bank, {}).items() if name not in ("blend", "mix")]
        choose = max if farthest else min
        return choose(parts, key=lambda part: part["value"]) if parts else None

    return read


def _at(path: str) -> Callable[[Record], Any]:
    """Returns a function of a record that returns what its evaluation has at a path, or None."""

    def read(record: Record) -> Any:
        value: Any = record["evaluation"]
        for key in path.split():
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    return read


def _accuracy(code: str, *, trained: bool = True) -> Callable[[Record], Measured | None]:
    """Returns a function of a record that returns what a probe of the means of a code gets right, in percent."""

    def read(record: Record) -> Measured | None:
        kind = "means" if trained else "untrained_means"
        found = record.get("probes", {}).get("codes", {}).get(code, {}).get(kind)
        return None if found is None else {"value": 100 * found["test"], "deviation": 100 * found["error"]}

    return read


def _fused_accuracy(record: Record) -> Measured | None:
    """Returns what a probe of the content of `FUSED_MEMBERS` images gets right, in percent."""
    curve = record.get("probes", {}).get("curve", [])
    found = next((point["means"] for point in curve if point["members"] == FUSED_MEMBERS), None)
    return None if found is None else {"value": 100 * found["test"], "deviation": 100 * found["error"]}


def _majority(record: Record) -> float | None:
    """Returns the share of the most frequent label among test images, in percent."""
    found = record.get("probes", {}).get("majority")
    return None if found is None else 100 * float(found)


def _used(name: str) -> Callable[[Record], Any]:
    """Returns a function of a record that returns a number of the use that its decoder makes of the codes."""
    return lambda record: (record.get("probes", {}).get("use") or {}).get(name)


def _measured(value: Any) -> Measured | None:
    """Returns a number as {"value", "deviation"}."""
    if isinstance(value, Mapping):
        return value if "value" in value else {"value": value.get("mean"), "deviation": value.get("deviation")}
    return None if value is None or isinstance(value, str) else {"value": float(value), "deviation": None}


# ---------------------------------------------------------------- cells


def _number(title: str, read: Callable[[Record], Any], best: str = "") -> Column:
    """Returns a column of measured numbers."""

    def cell(system: System, records: Sequence[Record]) -> Cell:
        values, estimate = column.values(records), column.estimate(records)
        if estimate is None:
            return Cell("-")
        if len(records) == 1 and isinstance(count := read(records[0]), int):
            return Cell(f"{count:,}", estimate.mean)
        of = f" ({count_noun(len(values), 'seed')})" if len(values) < len(records) else ""
        return Cell(format_over_seeds(values) + of, estimate.mean)

    column = Column(title, cell, best, read)
    return column


def _word(title: str, read: Callable[[Record], Any]) -> Column:
    """Returns a column of words, with the number of runs of each: "syntactic, semantic 2"."""

    def cell(system: System, records: Sequence[Record]) -> Cell:
        counts = Counter(str(value) for record in records if (value := read(record)) is not None)
        words = [word if count == len(records) else f"{word} {count}" for word, count in counts.most_common()]
        return Cell(", ".join(words) or "-")

    return Column(title, cell)


def _published(title: str, read: Callable[[Any], float | Sequence[float] | None]) -> Column:
    """Returns a column of what the paper prints."""

    def cell(system: System, records: Sequence[Record]) -> Cell:
        value = None if system.published is None else read(system.published)
        if value is None or value == ():
            return Cell("-")
        values = value if isinstance(value, Sequence) else (value,)
        return Cell(", ".join(f"{v:g}" for v in values))

    return Column(title, cell)


def _parameters(system: System, records: Sequence[Record]) -> Cell:
    return Cell(f"{records[0]['evaluation']['model']['parameters']['total']:,}")


def _published_parameters(system: System, records: Sequence[Record]) -> Cell:
    return Cell("-" if system.published is None else f"{system.published.parameters:,}")


def _mixture_size(system: System, records: Sequence[Record]) -> Cell:
    scores = [score for record in records if (score := score_of(record, "gmm")) is not None]
    return Cell(describe_size(scores) if scores else "-")


def _seconds(record: Record) -> float:
    return float(record["training"]["seconds"])


def _minutes(system: System, records: Sequence[Record]) -> Cell:
    return Cell(format_number(statistics.fmean(_seconds(record) for record in records) / 60))


def _setting(name: str, default: object = None) -> Callable[[System, Sequence[Record]], Cell]:
    """Returns a function that returns the cell of a setting of the runs; records that lack it have the default."""

    def cell(system: System, records: Sequence[Record]) -> Cell:
        value = records[0]["options"].get(name, default)
        if isinstance(value, bool):
            return Cell("yes" if value else "no")
        return Cell("-" if value is None else f"{value:g}" if isinstance(value, float) else str(value))

    return cell


EX_POST_SAMPLERS = {"mixture": "gmm", "second stage": "second-stage", "flow": "flow"}  # a prefix of the sampler's name
SHARES = {"precision": "high", "density": "", "recall": "high", "coverage": "high"}  # a density can be above that of images

COLUMNS: dict[str, Column] = {
    "parameters": Column("parameters", _parameters),
    "paper parameters": Column("paper: parameters", _published_parameters),
    "K": Column("K of the split", _setting("split")),
    "mixture size": Column("size of the mixture", _mixture_size),
    "seeds": Column("seeds", lambda system, records: Cell(str(len(records)))),
    "epochs": Column("epochs", lambda system, records: Cell(str(records[0]["training"]["epochs"]))),
    "minutes": Column("minutes of training", _minutes),
    "side": Column("side, pixels", lambda system, records: Cell(str(records[0]["options"]["shape"][1]))),
    "latent dim": Column("latent dimension", _setting("latent_dim")),
    "ambiguity weight": Column("weight of ambiguity", _setting("ambiguity")),
    "smoothness weight": Column("weight of smoothness", _setting("smoothness")),
    "decoder": Column("decoder", _setting("split_decoder")),
    "map scale": Column("scale of the map", _setting("map_scale", 1.0)),
    "map norm": Column("normalised map", _setting("map_norm", False)),
    "REC": _number("REC x̂", _distance("REC"), "low"),
    "GEN": _number("GEN x̂", _distance("GEN"), "low"),
    "GEN nearest": _number("GEN nearest component", _component("GEN"), "low"),
    "GEN farthest": _number("GEN farthest component", _component("GEN", farthest=True)),
    "GEN mix": _number("GEN random component", _distance("GEN", "mix"), "low"),
    "paper GEN": _published("paper: GEN", lambda published: published.gen),
    "paper GEN components": _published("paper: GEN x1, x2", lambda published: published.components),
    "paper EX-POST": _published("paper: EX-POST", lambda published: published.ex_post),
    **{
        f"EX-POST {name}": _number(f"EX-POST x̂, {name}", _distance("EX-POST", sampler=sampler), "low")
        for name, sampler in EX_POST_SAMPLERS.items()
    },
    "EX-POST nearest": _number("EX-POST nearest component", _component("EX-POST", "gmm"), "low"),
    "EX-POST farthest": _number("EX-POST farthest component", _component("EX-POST", "gmm", farthest=True)),
    "EX-POST mix": _number("EX-POST random component", _distance("EX-POST", "mix", sampler="gmm"), "low"),
    **{
        f"{bank} {share}": _number(f"{bank} {share}", _distance(bank, name=share, sampler="gmm"), best)
        for bank in ("GEN", "EX-POST")
        for share, best in SHARES.items()
    },
    "sharpness": _number("GEN sharpness (0 is right)", _at("samples sharpness"), "low"),
    "power": _number("GEN high-frequency power (1 is right)", _at("samples power_ratio")),
    "excess correlation": _number("correlation of two samples minus that of two images", _at("samples excess_correlation")),
    "MSE": _number("test MSE", _at("reconstruction mse"), "low"),
    "KL": _number("KL, nats", _at("latent kl")),
    "bits": _number("bits a dimension", _at("likelihood bits_per_dimension"), "low"),
    "inactive by mean": _number("inactive by mean", _at("latent inactive_by_mean"), "low"),
    "inactive by variance": _number("inactive by variance", _at("latent inactive_by_variance"), "low"),
    "active": _number("active units", _at("latent active_units"), "high"),
    "type": _word("the split is", _at("split verdict")),
    "map high": _number("map's energy at high frequencies", _at("split high_frequency_share")),
    "map edges": _number("correlation of map's and image's edges", _at("split edge_overlap")),
    "map contrast": _number("contrast of the map", _at("split map_contrast")),
    "map ambiguity": _number("ambiguity measured", _at("split mean_ambiguity")),
    "content": _number("% right from the content of 1", _accuracy("content"), "high"),
    "content of 4": _number(f"of {FUSED_MEMBERS} images", _fused_accuracy, "high"),
    "content untrained": _number("of 1, untrained", _accuracy("content", trained=False)),
    "style": _number("% right from the style", _accuracy("style"), "low"),
    "independent style": _number("from the independent style", _accuracy("independent style"), "low"),
    "majority": _number("the most frequent label, %", _majority),
    "single MSE": _number("MSE of single images", _used("mse"), "low"),
    "content swapped": _number("error with another content, times", _used("content_ratio"), "high"),
    "style swapped": _number("with another style, times", _used("style_ratio")),
}

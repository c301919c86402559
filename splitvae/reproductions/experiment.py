"""An experiment: the systems that are trained, and what the page about them shows.

A `System` is a preset with settings and a number of seeds. An `Experiment` is a list of systems on one data set. Its `Page`
has tables, whose columns are those of columns.py, findings, which are sentences computed from the numbers (findings.py),
and figures of chosen runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..config import Config
from ..errors import UserError
from ..presets.registry import find_preset

__all__ = ["Experiment", "Figure", "Page", "Published", "Record", "Records", "System", "Table"]

Record = Mapping[str, Any]  # what is kept of a run; see records.py
Records = Mapping[str, Sequence[Record]]  # the records of the seeds of each system, by the key of the system


class Published(NamedTuple):
    """What the paper prints for a system: Fréchet distances in the features of Inception, and a number of parameters.

    Arguments:
        gen: The distance of samples of the prior, of the blend.
        ex_post: The distance of samples of a fitted density.
        parameters: The number of parameters.
        components: The distances of the components' samples of the prior, where the paper has them.
    """

    gen: float
    ex_post: float
    parameters: int
    components: tuple[float, ...] = ()


@dataclass(frozen=True)
class System:
    """Creates a system of an experiment.

    Arguments:
        key: The name of its folder and of its rows, such as "svae".
        title: What the tables call it.
        preset: The preset.
        settings: Settings by flat name that differ from the preset's and from the experiment's.
        seeds: The number of runs.
        samplers: The names of the samplers of EX-POST.
        more_samplers: Those of the first seed alone, which take longer to fit.
        published: What the paper prints for it.
    """

    key: str
    title: str
    preset: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 1
    samplers: tuple[str, ...] = ("gmm",)
    more_samplers: tuple[str, ...] = ()
    published: Published | None = None

    def samplers_of(self, seed: int) -> tuple[str, ...]:
        """Returns the names of the samplers of a seed."""
        return self.samplers + (() if seed else self.more_samplers)


class Table(NamedTuple):
    """A table of a page.

    Arguments:
        title: Its heading.
        columns: The names of its columns, of `COLUMNS`.
        systems: The keys of its systems; () for all.
        note: A sentence below it.
        comparable: Whether its rows can be compared, so that the best of a column is bold.
    """

    title: str
    columns: tuple[str, ...]
    systems: tuple[str, ...] = ()
    note: str = ""
    comparable: bool = True


class Figure(NamedTuple):
    """A figure of a run on a page.

    Arguments:
        system: The key of the system.
        name: The name of the figure (figures/run.py), with its suffix if that is not .png.
        caption: What it shows.
        seed: The seed of the run.
    """

    system: str
    name: str
    caption: str
    seed: int = 0

    @property
    def drawn(self) -> str:
        """The name of the file in the run's folder of figures."""
        return self.name if "." in self.name else f"{self.name}.png"

    @property
    def file(self) -> str:
        """The name of the file in the folder of the results."""
        return f"{self.system}-{self.seed}-{self.drawn}"


@dataclass(frozen=True)
class Page:
    """Creates what the page of an experiment shows.

    Arguments:
        title: The heading.
        introduction: What is trained, and why, in a paragraph.
        tables: The tables.
        findings: Functions of the experiment and its records that return sentences.
        figures: The figures of runs.
        measures: The names of what is measured of the images alone, of `MEASURES`.
    """

    title: str
    introduction: str
    tables: tuple[Table, ...]
    findings: tuple[Callable[[Experiment, Records], Sequence[str]], ...] = ()
    figures: tuple[Figure, ...] = ()
    measures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """Creates an experiment on one data set.

    Arguments:
        name: The name, as in `splitvae reproduce NAME`.
        systems: The systems.
        page: What its page shows.
        epochs: The number of epochs of the paper.
        width: The width of the networks without a GPU; with one, it is that of the presets.
        settings: Settings by flat name that all systems share.
        probed: Whether classifiers of labels are trained on the codes.
    """

    name: str
    systems: tuple[System, ...]
    page: Page
    epochs: int = 100
    width: int = 16
    settings: Mapping[str, Any] = field(default_factory=lambda: {"schedule": "cosine", "preview_every": 0})
    probed: bool = False

    def system(self, key: str) -> System:
        """Returns the system of a key."""
        return next(system for system in self.systems if system.key == key)

    def check_systems(self, keys: Sequence[str]) -> None:
        """Raises UserError for the key of a system that the experiment does not have."""
        known = [system.key for system in self.systems]
        if unknown := [key for key in keys if key not in known]:
            raise UserError(f"{self.name} has no system {unknown[0]!r}; it has {', '.join(known)}.")

    def config(self, system: System, seed: int, epochs: int, **options: Any) -> Config:
        """Returns the config of a run.

        Arguments:
            system: The system.
            seed: The seed.
            epochs: The number of epochs, unless the system has its own.
            options: Further settings by flat name, such as the source of the images and the width. A width is left out
                where the network has none.
        """
        shared = {**options, **self.settings, "epochs": epochs}
        if "width" not in find_preset(system.preset).options():
            shared.pop("width", None)
        return find_preset(system.preset, **{**shared, **system.settings, "seed": seed})

    @property
    def source(self) -> str | None:
        """The source of the images where none is given: that of the presets."""
        return find_preset(self.systems[0].preset).data.source

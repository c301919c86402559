"""A whole experiment: every run is trained, evaluated and recorded, and the page is written again after each one.

    OUT/NAME.json    what is kept of each finished run (records.py)
    OUT/NAME.md      the page (page.py)
    OUT/NAME/        its figures
    RUNS/SYSTEM/seed-N    the runs

A run whose record is there is not made again, also if its folder is gone. A training that was interrupted goes on from its
checkpoint. Several processes may make one experiment: each takes runs that no other process has.
"""

from __future__ import annotations

import shutil
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import Config
from ..data.geometry import remove_padding
from ..data.images import Images
from ..errors import UserError, setting
from ..evaluation.diagnostics import evaluate
from ..evaluation.fitted_samplers import sampler_for
from ..features.base import Extractor
from ..features.registry import load_extractor
from ..figures.run import draw_run
from ..presets.images import load_for_config
from ..probes.classifiers import ITERATIONS
from ..probes.measure import probe, read_cached_probes
from ..runs import Run
from ..studies.categories import shorten_source
from ..training.interrupts import ExperimentInterrupted, Interrupted
from ..training.loop import train
from ..training.recovery import TrainingStopped
from ..utils.console import print_once
from ..utils.lock import lock_file
from ..utils.text import count_noun
from .columns import FUSED_MEMBERS
from .experiment import Experiment, Figure, System
from .measures import MEASURES
from .page import write_page
from .records import add_result, describe_source, hash_settings, make_record, read_results, rename_sources, update_results
from .scale import Scale, choose_scale

__all__ = ["PROTOCOL", "ExperimentInterrupted", "Request", "reproduce"]

PROTOCOL = "paper"  # training codes, the paper's size of the mixture, scored against test images
DRAWS = (1, 64)  # of the bounds on the likelihood


class _Busy(Exception):
    """Another process makes a run."""


@dataclass(frozen=True)
class Request:
    """Creates what a person asks of an experiment; None takes what the results have, or chooses.

    Arguments:
        data: The source of the images.
        crop: The side in pixels of the centre square that is cut out of each image of `data`.
        hours: The time for all trainings.
        width: The width of all networks.
        epochs: The number of epochs of most systems.
        images: The number of test images of each distance.
        systems: The keys of the systems to make; () makes all.
    """

    data: str | None = None
    crop: int | None = None
    hours: float | None = None
    width: int | None = None
    epochs: int | None = None
    images: int | None = None
    systems: tuple[str, ...] = ()


def reproduce(experiment: Experiment, request: Request, out: Path, runs: Path, progress: bool = True) -> Path:
    """Makes the runs of an experiment that have no record yet, and returns the page.

    Arguments:
        experiment: The experiment.
        request: What is asked of it.
        out: The folder of the results.
        runs: The folder of the runs.
        progress: Whether progress is printed.

    Raises:
        UserError: For images or settings that cannot be used, or that differ from those of the results.
        ExperimentInterrupted: After Ctrl-C.
    """
    experiment.check_systems(request.systems)
    options = _data_options(experiment, request)
    first = experiment.config(experiment.systems[0], 0, 1, **options)
    images = {part: load_for_config(first, part) for part in ("train", "test")}
    for note in images["train"].notes:
        print_once(progress, f"Note: {note}")
    file = out / f"{experiment.name}.json"
    scale = _settle_scale(experiment, request, file, images["train"], options)
    options["width"] = scale.width
    bare = replace(images["train"], pixels=remove_padding(images["train"].pixels, first.data.pad))
    extractor = load_extractor("auto", bare)
    jobs = [
        (system, seed)
        for seed in range(max(system.seeds for system in experiment.systems))
        for system in experiment.systems
        if seed < system.seeds and (not request.systems or system.key in request.systems)
    ]
    busy = 0
    for i, (system, seed) in enumerate(jobs):
        config = experiment.config(system, seed, scale.epochs, **options)
        name = f"{system.key}/seed-{seed}"
        of = hash_settings(config, system.samplers_of(seed), scale.images)
        if read_results(file)["runs"].get(name, {}).get("of") == of:
            shown = [out / experiment.name / figure.file for figure in _figures_of(experiment, system, seed)]
            if not all(file.exists() for file in shown) and (runs / name / "model").exists():
                _draw(Run(runs / name), system, experiment, seed, out / experiment.name)
            continue
        print_once(progress, f"[{i + 1} of {len(jobs)}] {system.title}, seed {seed}")
        try:
            with _alone(runs / system.key / f"seed-{seed}.lock"):
                same = _geometry(config) == _geometry(first)
                own = images if same else {part: load_for_config(config, part) for part in images}
                run = _train(config, runs / name, own, progress)
                evaluate(run, extractor, (PROTOCOL,), system.samplers_of(seed), scale.images, DRAWS)
                probes = _probe(run, seed, progress) if experiment.probed else None
                _draw(run, system, experiment, seed, out / experiment.name)
                record = make_record(run, system, config, scale.images, probes)
        except _Busy:
            busy += 1
            print_once(progress, "  Another process makes this run.")
            continue
        except TrainingStopped as stopped:
            record = {"of": of, "stopped": " ".join(map(str, stopped.alarms))}
        add_result(file, "runs", name, record)
        write_page(experiment, file)
    _measure_images(experiment, file, images, extractor, out / experiment.name)
    if busy:
        print_once(
            progress, f"Other processes make {count_noun(busy, 'run')}; the page has what they make when they are done."
        )
    return write_page(experiment, file)


def _data_options(experiment: Experiment, request: Request) -> dict[str, Any]:
    """Returns the settings of the images: the source and the crop, which belongs to the source of the presets."""
    if request.data is None or request.data == experiment.source:
        return {} if request.crop is None else {"crop": request.crop}
    return {"data": request.data, "crop": request.crop}


def _settle_scale(experiment: Experiment, request: Request, file: Path, train: Images, options: Mapping[str, Any]) -> Scale:
    """Returns the scale that the results have, else one that is chosen and written to them.

    Raises:
        UserError: If the results have another scale than is asked for, or other images.
    """
    stored = read_results(file)
    if "scale" not in stored:
        known = {name: value for name in ("hours", "width", "epochs", "images") if (value := getattr(request, name))}
        scale = choose_scale(experiment, train, **known, **options)
        about = {
            "experiment": experiment.name,
            "scale": scale.to_json(),
            "source": describe_source(request.data or experiment.source, experiment.systems[0].preset),
            "sha256": train.sha256,
            "options": {key: value for key, value in options.items() if key != "data"},
        }
        stored = update_results(file, lambda results: results.update({**about, **results}))
    scale = Scale(**stored["scale"])
    elsewhere = f"Give what it has, or another folder with {setting('out')}."
    for name in ("width", "epochs", "images"):
        asked, has = getattr(request, name), getattr(scale, name)
        if asked is not None and asked != has:
            given = f"-n {has}" if name == "images" else setting(name, has)
            raise UserError(f"{file} was begun with {given}, and {asked} is asked for. {elsewhere}")
    if stored["sha256"] != train.sha256:
        raise UserError(f"{file} was begun with other images ({stored['source']}, {stored['sha256']}). {elsewhere}")
    return scale


def _geometry(config: Config) -> Hashable:
    """Returns what decides the shape of the images of a config."""
    return config.model.shape, config.data.pad, config.data.crop


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Lets one process at a time into the block; raises _Busy in others."""

    def refuse() -> None:
        raise _Busy

    with lock_file(file, refuse):
        yield


def _train(config: Config, folder: Path, images: Mapping[str, Images], progress: bool) -> Run:
    """Trains a run, or continues it, with the images of the experiment in memory."""
    try:
        run = train(config, out=folder, resume=(folder / "config.json").exists(), progress=progress)
    except Interrupted as interrupt:
        raise ExperimentInterrupted(
            f"stopped in {folder} at epoch {interrupt.epoch + 1}, step {interrupt.step}, nothing lost; the same command "
            "goes on."
        ) from None
    for part, each in images.items():
        run.remember(part, each)
    return run


def _probe(run: Run, seed: int, progress: bool) -> dict[str, Any]:
    """Returns what classifiers predict from the codes of single images and of several, measured unless it was before."""
    saved = read_cached_probes(run, ITERATIONS)
    if saved and (not saved["curve"] or any(point["members"] == FUSED_MEMBERS for point in saved["curve"])):
        return saved
    return probe(run, ITERATIONS, seed, progress, members=(FUSED_MEMBERS,))


def _figures_of(experiment: Experiment, system: System, seed: int) -> list[Figure]:
    """Returns the figures of a run that the page shows."""
    return [figure for figure in experiment.page.figures if (figure.system, figure.seed) == (system.key, seed)]


def _draw(run: Run, system: System, experiment: Experiment, seed: int, folder: Path) -> None:
    """Draws the figures of a run that the page shows, and copies them."""
    wanted = _figures_of(experiment, system, seed)
    if not wanted:
        return
    draw_run(run, {name: sampler_for(run, name, PROTOCOL).sample(100, 0) for name in system.samplers_of(seed)})
    folder.mkdir(parents=True, exist_ok=True)
    for figure in wanted:
        drawn = run.path / "figures" / figure.drawn
        if drawn.exists():
            shutil.copyfile(drawn, folder / figure.file)


def _measure_images(
    experiment: Experiment, file: Path, images: Mapping[str, Images], extractor: Extractor, folder: Path
) -> None:
    """Measures what the page says of the images alone, unless the results have it."""
    for name in experiment.page.measures:
        if name not in read_results(file)["measures"]:
            train, test = images["train"], images["test"]
            result = MEASURES[name](train, test, extractor, folder)
            result = rename_sources(result, {train.source: shorten_source(train.source)})
            add_result(file, "measures", name, result)

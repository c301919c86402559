"""An experiment from the command to the page: what is made once, what goes on, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.features.base import ModuleFeatures
from splitvae.models.latents import Grouped
from splitvae.probes.measure import probe
from splitvae.reproductions import loop
from splitvae.reproductions.experiment import Experiment, Figure, Page, Published, System, Table
from splitvae.reproductions.findings import compare_order, compare_pair, list_probe_notes
from splitvae.reproductions.loop import ExperimentInterrupted, Request, reproduce
from splitvae.reproductions.page import render_page
from splitvae.reproductions.registry import EXPERIMENTS
from splitvae.runs import Run
from splitvae.training.interrupts import Interrupted
from splitvae.utils.lock import lock_file
from splitvae.utils.text import format_number

SMALL = Experiment(
    "small",
    (
        System("svae", "Split-VAE", "digits-svae", seeds=2, published=Published(5.0, 2.0, 1000)),
        System("vae", "its twin", "digits-vae", {"beta": 2.0}, published=Published(4.0, 3.0, 900)),
    ),
    Page(
        "A small experiment",
        "Two systems on digits.",
        (
            Table("Distances", ("K", "seeds", "GEN", "paper GEN", "EX-POST mixture")),
            Table("Components", ("GEN nearest", "GEN mix"), ("svae",)),
        ),
        (compare_order("GEN", "gen"), compare_pair("svae", "vae", ("GEN", "MSE"))),
        (Figure("svae", "components", "map, components and blend"),),
        ("means",),
    ),
    epochs=3,
    width=4,
)
REQUEST = Request(epochs=1, images=100)


def small_extractor(*_: object) -> ModuleFeatures:
    """Features that need no training: the means of the quarters of an image."""
    quarters = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
    return ModuleFeatures(quarters, "quarters", shape=(1, 16, 16))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an experiment that was made: results and runs."""
    folder = tmp_path_factory.mktemp("experiment")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "load_extractor", small_extractor)
        reproduce(SMALL, REQUEST, folder / "results", folder / "runs", progress=False)
    return folder


@pytest.fixture(autouse=True)
def _small_extractor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "load_extractor", small_extractor)


@pytest.fixture
def again(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder, which a test may change."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def results(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "results" / "small.json").read_text())
    return content


def make(folder: Path, request: Request = REQUEST, experiment: Experiment = SMALL) -> Path:
    return reproduce(experiment, request, folder / "results", folder / "runs", progress=False)


def forbid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError(f"{name} was called")

    monkeypatch.setattr(loop, name, fail)


# ---------------------------------------------------------------- what is made


def test_every_run_has_a_record_of_its_own_evaluation(made: Path) -> None:
    content = results(made)
    assert list(content["runs"]) == ["svae/seed-0", "svae/seed-1", "vae/seed-0"]
    for name, record in content["runs"].items():
        run = Run(made / "runs" / name)
        assert record["evaluation"]["model"]["fingerprint"] == run.vae.fingerprint()
        assert record["evaluation"]["reconstruction"] == run.evaluation["reconstruction"]
        assert record["training"]["epochs"] == len(run.history) == 1
        assert record["training"]["sha256"] == run.training_sha256 == content["sha256"]
    assert content["scale"] == {"width": 4, "epochs": 1, "images": 100, "reason": "given"}


def test_the_page_shows_the_numbers_of_the_records(made: Path) -> None:
    page = (made / "results" / "small.md").read_text()
    record = results(made)["runs"]["vae/seed-0"]
    (score,) = record["evaluation"]["scores"].values()
    gen = score["banks"]["GEN"]["blend"]["fid"]["value"]
    (row,) = [line for line in page.splitlines() if line.startswith("| its twin |")]
    assert f"**{format_number(gen)} ± " in row and "| 4 |" in row
    assert "![" in page and (made / "results" / "small" / "svae-0-components.png").exists()
    assert "## The mean image" in page and (made / "results" / "small" / "mean-image.png").exists()
    assert "--width 4 --epochs 1 -n 100" in page
    assert "Split-VAE minus its twin, 2 and 1 seeds." in page and "runs are done" not in page


def test_a_number_in_the_file_is_the_number_on_the_page(again: Path) -> None:
    content = results(again)
    for score in content["runs"]["vae/seed-0"]["evaluation"]["scores"].values():
        score["banks"]["GEN"]["blend"]["fid"] = {"value": 0.001234, "deviation": 0.0005}
    page = render_page(SMALL, content, again / "results" / "small")
    assert "**0.00123 ± 0.00050**" in page


def test_no_path_of_the_machine_is_in_the_results(tmp_path: Path) -> None:
    folder = tmp_path / "secret"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (300, 16, 16), dtype=np.uint8)
    np.save(folder / "noise.npy", pixels)
    one = replace(SMALL, systems=(replace(SMALL.systems[0], seeds=1),))
    request = Request(data=str(folder / "noise.npy"), epochs=1, images=20)
    reproduce(one, request, folder / "results", folder / "runs", progress=False)
    for name in ("small.json", "small.md"):
        text = (folder / "results" / name).read_text()
        assert "secret" not in text and str(tmp_path) not in text and "noise.npy" in text


# ---------------------------------------------------------------- again


def test_what_is_done_is_not_made_again_even_without_the_runs(again: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = results(again)
    shutil.rmtree(again / "runs")
    for name in ("train", "evaluate", "draw_run"):
        forbid(monkeypatch, name)
    make(again)
    assert results(again) == before


def test_a_figure_that_is_missing_is_drawn_again(again: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = again / "results" / "small" / "svae-0-components.png"
    drawn = figure.read_bytes()
    figure.unlink()
    forbid(monkeypatch, "train")
    make(again)
    assert figure.read_bytes() == drawn


def test_a_new_setting_makes_only_the_runs_that_have_it(again: Path) -> None:
    before = results(again)["runs"]
    twin = replace(SMALL.systems[1], settings={"beta": 3.0})
    shutil.rmtree(again / "runs" / "vae")
    make(again, experiment=replace(SMALL, systems=(SMALL.systems[0], twin)))
    after = results(again)["runs"]
    assert after["svae/seed-1"] == before["svae/seed-1"]
    assert after["vae/seed-0"]["options"]["beta"] == 3.0 and after["vae/seed-0"] != before["vae/seed-0"]


def test_ctrl_c_loses_nothing(again: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = results(again)
    del content["runs"]["vae/seed-0"]
    (again / "results" / "small.json").write_text(json.dumps(content))
    real, calls = loop.train, []

    def interrupt(*arguments: Any, **options: Any) -> Any:
        calls.append(options["resume"])
        if len(calls) == 1:
            raise Interrupted(options["out"], 0, 3)
        return real(*arguments, **options)

    monkeypatch.setattr(loop, "train", interrupt)
    with pytest.raises(ExperimentInterrupted, match="nothing lost; the same command"):
        make(again)
    assert results(again) == content
    make(again)
    assert calls == [True, True] and "vae/seed-0" in results(again)["runs"]


def test_a_run_of_another_process_is_left_to_it(
    again: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = results(again)
    del content["runs"]["vae/seed-0"]
    (again / "results" / "small.json").write_text(json.dumps(content))
    forbid(monkeypatch, "train")
    with lock_file(again / "runs" / "vae" / "seed-0.lock", lambda: None):
        page = reproduce(SMALL, REQUEST, again / "results", again / "runs")
    assert "Another process makes this run." in capsys.readouterr().out
    assert "**2 of 3 runs are done; the same command makes the others.**" in page.read_text()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(epochs=2, images=100), r"begun with epochs=1, and 2 is asked for"),
        (Request(epochs=1, width=8), r"begun with width=4, and 8 is asked for"),
        (Request(images=200), r"begun with -n 100, and 200 is asked for"),
        (Request(systems=("svea",)), r"small has no system 'svea'; it has svae, vae"),
    ],
)
def test_what_differs_from_the_results_is_refused(again: Path, request_: Request, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(again, request_)


def test_other_images_are_refused(again: Path) -> None:
    content = results(again) | {"sha256": "0" * 16}
    (again / "results" / "small.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="begun with other images"):
        make(again)


# ---------------------------------------------------------------- the scale


def test_twice_the_hours_are_twice_the_epochs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from splitvae.data.sources import load
    from splitvae.reproductions import scale

    monkeypatch.setattr(scale, "seconds_of_epoch", lambda experiment, system, train, **options: 100.0 * options["width"])
    images, longer = load("digits"), replace(SMALL, epochs=50)
    one, two, most = (scale.choose_scale(longer, images, hours=hours) for hours in (1, 2, 100))
    assert (one.epochs, two.epochs, most.epochs) == (3, 6, 50)  # three runs of 400 s an epoch
    assert one.width == 4 and "1 hours of training" in one.reason and "epochs of the paper" in most.reason
    with pytest.raises(UserError, match="leaves no time"):
        scale.choose_scale(longer, images, hours=0)


def test_a_wider_network_takes_more_time() -> None:
    from splitvae.data.geometry import resize
    from splitvae.data.sources import load
    from splitvae.reproductions.scale import seconds_of_epoch

    images = replace(load("digits"), pixels=resize(load("digits").pixels, (1, 16, 16)))
    narrow, wide = (seconds_of_epoch(SMALL, SMALL.systems[0], images, width=width) for width in (4, 64))
    assert 0 < narrow < wide
    larger = replace(SMALL.systems[0], settings={"shape": (1, 32, 32)})  # than the images of the experiment
    assert seconds_of_epoch(SMALL, larger, images, width=4) > 0


# ---------------------------------------------------------------- the registry and the command


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_whole(name: str) -> None:
    from splitvae.reproductions.columns import COLUMNS

    experiment = EXPERIMENTS[name]
    keys = [system.key for system in experiment.systems]
    assert len(set(keys)) == len(keys)
    for system in experiment.systems:
        config = experiment.config(system, 0, 10, width=experiment.width)
        assert config.training.epochs == 10 and config.training.seed == 0
    for table in experiment.page.tables:
        assert set(table.columns) <= COLUMNS.keys() and set(table.systems) <= set(keys)
    assert {figure.system for figure in experiment.page.figures} <= set(keys)
    files = [figure.file for figure in experiment.page.figures]
    assert len(set(files)) == len(files)


def test_twins_differ_in_the_split_alone() -> None:
    for name in ("mnist", "cifar10", "celeba"):
        experiment = EXPERIMENTS[name]
        split, twin = (experiment.config(experiment.system(key), 0, 5) for key in ("svae", "vae"))
        assert split.model.split == 2
        assert split.override(split=1).options() == twin.options()


def test_faces_are_shown_only_where_they_were_generated() -> None:
    private = {"reconstructions", "components-reconstructed", "interpolations", "traversals", "swaps", "swaps-evidence"}
    for name in ("celeba", "split-faces", "introvae-faces", "introvae-readme", "groups-faces"):
        assert not private & {figure.name for figure in EXPERIMENTS[name].page.figures}


@pytest.mark.parametrize("content", ['{"runs": {"sv', "[]", '{"runs": 3, "measures": {}}', '{"runs": {}}'])
def test_a_damaged_file_of_results_is_named_and_written_again(again: Path, content: str) -> None:
    file = again / "results" / "small.json"
    before = results(again)["runs"]
    file.write_text(content)
    with pytest.raises(UserError, match=r"small\.json is damaged; restore it, or delete it, and the same command"):
        make(again)
    if content != "[]":
        return
    file.unlink()
    make(again)
    assert [record["of"] for record in results(again)["runs"].values()] == [record["of"] for record in before.values()]


def test_codes_of_groups_are_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "ITERATIONS", 20)
    grouped = System("grouped", "grouped", "digits-vae", {"latent": Grouped(content_dim=2), "latent_dim": 4})
    columns = ("style", "content", "content of 4", "content untrained", "single MSE", "content swapped")
    page = Page("Groups", "Grouped digits.", (Table("Codes", columns),), (list_probe_notes,))
    experiment = Experiment("small", (grouped,), page, epochs=1, width=4, probed=True)
    text = make(tmp_path, experiment=experiment).read_text()
    probes = results(tmp_path)["runs"]["grouped/seed-0"]["probes"]
    (row,) = [line for line in text.splitlines() if line.startswith("| grouped |")]
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    assert cells[0].startswith(format_number(100 * probes["codes"]["style"]["means"]["test"]))
    assert cells[1].startswith(format_number(100 * probes["codes"]["content"]["means"]["test"]))
    assert [point["members"] for point in probes["curve"]] == [1, 4]
    assert cells[2].startswith(format_number(100 * probes["curve"][1]["means"]["test"]))
    assert cells[-1] == format_number(probes["use"]["content_ratio"])
    assert probes["notes"][0] in text

    run = Run(tmp_path / "runs" / "grouped" / "seed-0")
    probe(run, 20, 0, False, members=(2,))  # by hand, of other numbers of images
    (tmp_path / "results" / "small.json").unlink()
    make(tmp_path, experiment=experiment)
    assert [point["members"] for point in results(tmp_path)["runs"]["grouped/seed-0"]["probes"]["curve"]] == [1, 4]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mnits"], "no experiment is called 'mnits'"),
        (["mnist", "--checkpoints", "x"], "mnist has no --checkpoints; --crop, --hours, --width, -n, --systems are"),
        (["mnist", "--seed", "0"], "mnist has no --seed"),
        (["mnist", "--iterations", "10"], "mnist has no --iterations"),
        (["ml-vae", "--width", "16"], "ml-vae has no --width; --iterations, --seed, --checkpoints are options of it"),
        (["ml-vae", "-n", "10"], "ml-vae has no -n"),
        (["ml-vae", "--systems", "plain"], "ml-vae has no --systems"),
        (["mnist", "--epochs", "0"], "--epochs 0"),
        (["mnist", "-n", "1"], "leaves nothing to compare"),
        (["mnist", "--data", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_answered_in_a_sentence(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

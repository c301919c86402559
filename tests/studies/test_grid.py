"""Sweeps: every cell is trained once, alarms are results, and the page shows all cells."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from splitvae.cli.app import main
from splitvae.cli.sweep import parse_grid
from splitvae.errors import UserError
from splitvae.runs import Run
from splitvae.studies import grid
from splitvae.studies.grid import INTROVAE_BASE, Cell, base_config, build_cells, train_grid
from splitvae.training import windows
from splitvae.training.alarms import Alarm
from splitvae.training.interrupts import Interrupted

STEPS = 5
WORDS = ["--epochs", "2", "--width", "4", "--latent-dim", "4", "--batch-size", "10", "--validation", "0"]
GRID = ["--alpha", "0", ".25", "--beta", ".5", "--margin", "0.5", "20"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Stripes of 16x16 pixels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (80, 16, 16), dtype=np.uint8)
    for i, row in enumerate(rng.integers(0, 12, 80)):
        images[i, row : row + 4] += 150
    file = tmp_path_factory.mktemp("data") / "stripes.npz"
    np.savez(file, x_train=images[:50], x_test=images[50:])
    return str(file)


@pytest.fixture
def _one_cell_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every epoch a window of alarms, and raises one in the second window of a small margin with alpha > 0."""

    def judge(means: Mapping[str, float], weights: Mapping[str, float], *_: object) -> list[Alarm]:
        if means and weights["margin"] < 1 and weights["alpha"]:
            return [Alarm("reals-over-margin", "seen", "a cause", "Raise margin", {"margin": 5.0})]
        return []

    monkeypatch.setattr(windows, "WINDOW_STEPS", STEPS)
    monkeypatch.setattr(windows, "find_alarms", judge)


def test_a_sweep_trains_each_cell_once_and_shows_stopped_ones_too(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], _one_cell_stops: None
) -> None:
    out = tmp_path / "sweep"
    command = ["sweep", "introvae", "--data", data, *GRID, *WORDS, "--out", str(out)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    stopped = "alpha-0.25_beta-0.5_margin-0.5"
    names = ["alpha-0_beta-0.5_margin-0.5", "alpha-0_beta-0.5_margin-20", stopped, "alpha-0.25_beta-0.5_margin-20"]
    assert sorted(folder.name for folder in out.iterdir() if folder.is_dir()) == sorted(names)
    assert f"An alarm stopped 1 of 4 cells: {stopped}." in printed
    for name in names:
        options = Run(out / name).config.options()
        assert name == Cell(*(options[weight] for weight in ("alpha", "beta", "margin"))).name
        assert [options[k] for k in ("net", "width", "latent_dim", "batch_size")] == ["intro", 4, 4, 10]
        assert len(Run(out / name).history) == (0 if name == stopped else 2)
    assert json.loads((out / stopped / "alarm.json").read_text())["alarm"] == "reals-over-margin"

    page = (out / "sweep.html").read_text()
    # Each has samples, reconstructions and KLs, but for the stopped one: at its beginning it has no model and no history.
    assert page.count("<img") == 3 * 3
    assert page.count("data:image/") == page.count("<img")
    assert not re.search(r"url\(|@import|https?:|<script|<link", page)
    assert "reals-over-margin: stopped, and went back to its beginning" in page
    assert page.count("<th>beta 0.5</th>") == 1
    for words in ("alpha 0.25<br>margin 20", "reals-over-margin: seen; a cause.", "splitvae sweep introvae", "sharpness"):
        assert words in page
    assert str(tmp_path) not in page  # it is sent to others

    def never(*_: object, **__: object) -> None:
        raise AssertionError("was trained again")

    monkeypatch.setattr(grid.Run, "begin", never)
    monkeypatch.setattr("splitvae.training.loop.fit", never)
    assert main(command) == 0
    assert "was stopped by an alarm, reals-over-margin" in capsys.readouterr().out
    assert (out / "sweep.html").read_text() == page


def test_more_epochs_continue_stopped_cells_too(data: str, tmp_path: Path, _one_cell_stops: None) -> None:
    out, cells = tmp_path / "sweep", [Cell(0.25, 0.5, margin) for margin in (0.5, 20.0)]
    fields = {"data": data, "epochs": 2, "width": 4, "latent_dim": 4, "batch_size": 10, "validation": 0}
    first = train_grid(INTROVAE_BASE, cells, out, fields, progress=False)
    assert [outcome.alarm for outcome in first] == ["reals-over-margin", ""]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "find_alarms", lambda *_: [])
        again = train_grid(INTROVAE_BASE, cells, out, fields | {"epochs": 3}, progress=False)
    assert [outcome.alarm for outcome in again] == ["", ""]
    assert [len(outcome.run.history) for outcome in again] == [3, 3]
    assert not (out / cells[0].name / "alarm.json").exists()
    with pytest.raises(UserError, match="begun with width=4"):
        train_grid(INTROVAE_BASE, cells, out, fields | {"width": 8}, progress=False)
    with pytest.raises(UserError, match="was begun as introvae"):
        train_grid(base_config("mnist-intro"), cells, out, fields, progress=False)


def test_ctrl_c_says_that_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise Interrupted(tmp_path, 0, 3)

    monkeypatch.setattr("splitvae.training.loop.train", interrupt)
    with pytest.raises(UserError, match="the same command goes on") as stop:
        train_grid(INTROVAE_BASE, [Cell(0.25, 0.5, 20)], tmp_path / "sweep", progress=False)
    assert stop.value.status == 130


def test_settings_that_cannot_train_are_an_error_and_no_alarm(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to train on"):
        train_grid(INTROVAE_BASE, [Cell(0.25, 0.5, 20)], tmp_path / "sweep", progress=False)
    assert not (tmp_path / "sweep").exists()


def test_options_of_the_grid_take_several_values_and_the_others_one() -> None:
    rest, values = parse_grid(
        ["introvae", "--data", "x", "--alpha", ".1", "0.25", "--epochs", "3", "--beta=2", "--margin", "5"]
    )
    assert rest == ["introvae", "--data", "x", "--epochs", "3"]
    assert values == {"alpha": [0.1, 0.25], "beta": [2.0], "margin": [5.0]}


def test_a_grid_has_each_cell_once_and_folders_of_their_own() -> None:
    assert len(build_cells([0.1, 0.25, 0.1], [0.5, 2], [10])) == 4
    assert Cell(0.25, 0.05, 500).name == "alpha-0.25_beta-0.05_margin-500"
    with pytest.raises(UserError, match="six digits"):
        build_cells([0.1, 0.1000000001], [1], [10])
    with pytest.raises(UserError, match="margin"):
        build_cells([0.1], [1], [10, -1])


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("introvae", "--data FOLDER"),
        ("introvae --data x --alpha a", "--alpha a is no number"),
        ("introvae --data x --beta --epochs 2", "--beta has no value"),
        ("introvae --data x --alpha 1 --beta 0 --margin 5", "beta=0"),
        ("introvae --data x --alpha 0.1 0.25 --beta 8", "no margin of its own"),
        ("mnist-svae", "take one of introvae, introvae-readme-low"),
        ("mnist-intr", "'mnist-intro'"),
        ("mnist-soft-intro", "has no alpha, beta and margin"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(words: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *words.split()]) == 2
    assert answer in capsys.readouterr().err

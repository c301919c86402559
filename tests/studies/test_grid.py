"""Sweeps: every cell is trained once, alarms are results, and the page shows what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from splitvae.cli.app import main
from splitvae.cli.sweep import several
from splitvae.errors import UserError
from splitvae.runs import Run
from splitvae.studies import grid as sweeps
from splitvae.studies.grid import BASE, Cell, base_named, cells_of
from splitvae.training import alarms, trainer
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
def _one_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every epoch is a window, and a small margin with some alpha raises an alarm in the second."""

    def judge(means: Mapping[str, float], weights: Mapping[str, float], painted: bool) -> list[Alarm]:
        if means and weights["margin"] < 1 and weights["alpha"]:
            return [Alarm("reals-over-margin", "seen", "a cause", "Raise margin", {"margin": 5.0})]
        return []

    monkeypatch.setattr(alarms, "WINDOW_STEPS", STEPS)
    monkeypatch.setattr(trainer, "judge", judge)


def test_a_sweep_trains_each_cell_once_shows_all_and_keeps_what_an_alarm_stopped(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], _one_dies: None
) -> None:
    out = tmp_path / "sweep"
    command = ["sweep", "introvae", "--data", data, *GRID, *WORDS, "--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    dead = "alpha-0.25_beta-0.5_margin-0.5"
    names = ["alpha-0_beta-0.5_margin-0.5", "alpha-0_beta-0.5_margin-20", dead, "alpha-0.25_beta-0.5_margin-20"]
    assert sorted(folder.name for folder in out.iterdir() if folder.is_dir()) == sorted(names)
    assert f"1 of 4 cells were stopped by an alarm: {dead}." in said
    for name in names:
        config = Run(out / name).config
        assert name == Cell(config.alpha, config.beta, config.margin).name
        assert (config.net, config.width, config.latent_dim, config.batch_size) == ("intro", 4, 4, 10)
        assert len(Run(out / name).history) == (0 if name == dead else 2)
    assert json.loads((out / dead / "alarm.json").read_text())["alarm"] == "reals-over-margin"

    page = (out / "sweep.html").read_text()
    # Samples and reconstructions of each, of the dead one those of the model before the alarm; no curve where no history.
    assert page.count("<img") == 4 * 3 - 1
    assert page.count("data:image/") == page.count("<img")
    assert not re.search(r"url\(|@import|https?:|<script|<link", page)
    assert "reals-over-margin: stopped, and went back to its beginning" in page
    assert page.count("<th>beta 0.5</th>") == 1
    for words in ("alpha 0.25<br>margin 20", "reals-over-margin: seen; a cause.", "splitvae sweep introvae", "sharpness"):
        assert words in page

    def never(*_: object, **__: object) -> None:
        raise AssertionError("was trained again")

    monkeypatch.setattr(sweeps.Run, "begin", never)
    monkeypatch.setattr("splitvae.training.loop.fit", never)
    assert main(command) == 0
    assert "was stopped by an alarm, reals-over-margin" in capsys.readouterr().out
    assert (out / "sweep.html").read_text() == page


def test_more_epochs_go_on_and_try_again_where_an_alarm_was(data: str, tmp_path: Path, _one_dies: None) -> None:
    out, cells = tmp_path / "sweep", [Cell(0.25, 0.5, margin) for margin in (0.5, 20.0)]
    typed = {"data": data, "epochs": 2, "width": 4, "latent_dim": 4, "batch_size": 10, "validation": 0}
    first = sweeps.train_grid(BASE, cells, out, typed, progress=False)
    assert [outcome.alarm for outcome in first] == ["reals-over-margin", ""]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "judge", lambda *_: [])
        again = sweeps.train_grid(BASE, cells, out, typed | {"epochs": 3}, progress=False)
    assert [outcome.alarm for outcome in again] == ["", ""]
    assert [len(outcome.run.history) for outcome in again] == [3, 3]
    assert not (out / cells[0].name / "alarm.json").exists()
    with pytest.raises(UserError, match="begun with width=4"):
        sweeps.train_grid(BASE, cells, out, typed | {"width": 8}, progress=False)
    with pytest.raises(UserError, match="was begun as introvae"):
        sweeps.train_grid(base_named("mnist-intro"), cells, out, typed, progress=False)


def test_ctrl_c_says_that_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Interrupted(tmp_path, 0, 3)

    monkeypatch.setattr(sweeps, "train", stopped)
    with pytest.raises(UserError, match="the same command goes on") as stop:
        sweeps.train_grid(BASE, [Cell(0.25, 0.5, 20)], tmp_path / "sweep", progress=False)
    assert stop.value.status == 130


def test_what_is_no_alarm_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to train on"):
        sweeps.train_grid(BASE, [Cell(0.25, 0.5, 20)], tmp_path / "sweep", progress=False)
    assert not (tmp_path / "sweep").exists()


def test_options_of_the_grid_take_several_values_and_the_others_one() -> None:
    rest, values = several(
        ["introvae", "--data", "x", "--alpha", ".1", "0.25", "--epochs", "3", "--beta=2", "--margin", "5"]
    )
    assert rest == ["introvae", "--data", "x", "--epochs", "3"]
    assert values == {"alpha": [0.1, 0.25], "beta": [2.0], "margin": [5.0]}


def test_a_grid_has_each_cell_once_and_folders_of_their_own() -> None:
    assert len(cells_of([0.1, 0.25, 0.1], [0.5, 2], [10])) == 4
    assert Cell(0.25, 0.05, 500).name == "alpha-0.25_beta-0.05_margin-500"
    with pytest.raises(UserError, match="six digits"):
        cells_of([0.1, 0.1000000001], [1], [10])
    with pytest.raises(UserError, match="margin"):
        cells_of([0.1], [1], [10, -1])


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

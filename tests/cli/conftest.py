"""What tests of the command line share: a way to run a command, and one trained run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from splitvae.cli.app import main


class Result(NamedTuple):
    """What a command returned and printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """A function that runs `splitvae` with the given words."""

    def run(*words: object) -> Result:
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:  # the parser ends the program after --help and after a mistake
            status = int(end.code or 0)
        return Result(status, *capsys.readouterr())

    return run


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands write to the current folder where --out is not given."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model that was trained by the command line."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    sizes = ["--width", "4", "--embedding", "32", "--epochs", "2", "--preview-every", "0"]
    assert main(["train", "digits-svae", *sizes, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def trained(shared_run: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(shared_run, tmp_path / "trained"))

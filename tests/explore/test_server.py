"""`splitvae explore`: who reaches the page, and mistakes that are answered before anything is served."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from splitvae.cli.app import main
from splitvae.errors import UserError
from splitvae.explore import server


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def answer_of(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command that fails writes to the standard error."""
    assert main(["explore", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err and err.count("\n") == 1
    return err


def test_mistakes_are_answered_before_anything_is_served(
    capsys: pytest.CaptureFixture[str], split_folder: Path, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gradio")  # of the extra explore
    monkeypatch.setattr(server, "open_sessions", lambda paths: pytest.fail("opened"))
    assert "splitvae explore runs/" in answer_of(capsys)
    assert f"port {taken_port}: Address already in use" in answer_of(capsys, split_folder, "--port", taken_port)
    assert "--port 70000 is no port" in answer_of(capsys, split_folder, "--port", 70000)
    assert "--host no.such.host.invalid" in answer_of(capsys, split_folder, "--host", "no.such.host.invalid")
    monkeypatch.undo()
    assert "nowhere does not exist" in answer_of(capsys, split_folder / "nowhere")


def test_without_the_extra_it_says_what_to_type(
    capsys: pytest.CaptureFixture[str], split_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "gradio" else find_spec(name))
    assert "-e '.[explore]'" in answer_of(capsys, split_folder)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *[(host, True) for host in ("127.0.0.1", "127.0.0.5", "::1", "localhost")],
        *[(host, False) for host in ("0.0.0.0", "::", "192.168.0.3", "machine.example")],
    ],
)
def test_addresses_that_others_reach_are_warned_of(host: str, loopback: bool) -> None:
    assert server._is_loopback(host) == loopback


def test_names_of_runs_are_their_folders_or_paths(tmp_path: Path, make_run: Callable[..., Any]) -> None:
    for name in ("a/seed-0", "a/seed-1", "b/seed-0"):
        make_run(tmp_path / name, None)
    assert list(server.open_sessions([tmp_path / "a"])) == ["seed-0", "seed-1"]
    assert list(server.open_sessions([tmp_path / "a", tmp_path / "b"])) == [
        str(tmp_path / name) for name in ("a/seed-0", "a/seed-1", "b/seed-0")
    ]
    with pytest.raises(UserError, match="holds no run"):
        server.open_sessions([tmp_path])

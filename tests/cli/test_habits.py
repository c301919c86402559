"""What people expect of every command: the version, JSON, no colour in files, a quiet end of a pipe, completion, doctor."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import splitvae
from splitvae.cli.app import COMMANDS, EXIT_CODES
from splitvae.cli.completion import bash_script, collect_words, fish_script
from splitvae.presets.registry import PRESETS

Command = Callable[..., Any]


def test_the_version_is_that_of_the_package(command: Command) -> None:
    assert command("--version") == command("-V") == (0, f"splitvae {splitvae.__version__}\n", "")


def test_the_help_explains_the_exit_codes(command: Command) -> None:
    out = " ".join(command("--help").out.split())
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_help_is_wider_than_the_terminal(command: Command, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in ("--help", *(f"{name} --help" for name in COMMANDS if name != "train"), "train digits-svae --help"):
        lines = command(*words.split()).out.splitlines()
        assert [line for line in lines if len(line) > columns and not line.startswith("usage:")] == [], words


@pytest.mark.parametrize("words", ["list", "doctor", "data list", "report RUN", "means digits"])
def test_json_is_all_that_is_printed(command: Command, trained: Path, words: str) -> None:
    status, out, err = command(*words.replace("RUN", str(trained)).split(), "--json")
    assert status == 0, err
    value = json.loads(out)
    if words == "list":
        assert [preset["name"] for preset in value["presets"]] == list(PRESETS)
        assert value["presets"][0]["shape"] == [1, 16, 16] and "gmm" in value["choices"]["sampler"] and err == ""
    if words.startswith("report"):
        assert Path(value["report"]).is_file() and value["runs"][str(trained)]["reconstruction"]


def test_a_reader_that_has_enough_is_no_mistake() -> None:
    code = "import sys; from splitvae.cli.app import main; sys.exit(main(['--help']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize(("no_colour", "has_colour"), [("", True), ("1", False)])
def test_only_a_terminal_without_no_color_gets_colours(no_colour: str, has_colour: bool) -> None:
    pty = pytest.importorskip("pty")  # not on Windows
    reader, writer = pty.openpty()
    code = "from splitvae.cli.app import main; main(['sample'])"
    colours = {**os.environ, "TERM": "xterm", "NO_COLOR": no_colour}
    with subprocess.Popen([sys.executable, "-c", code], stdout=writer, stderr=writer, env=colours):
        pass
    text = b""
    while select.select([reader], [], [], 0.3)[0]:  # a busy machine hands it over in parts
        text += os.read(reader, 10_000)
    assert (b"\x1b[" in text) == has_colour and b"RUN" in text


def test_every_shell_is_offered_every_command_and_preset() -> None:
    words = collect_words(COMMANDS)
    assert set(COMMANDS) <= set(words) and set(PRESETS) <= set(words["train"].first)
    assert "resnet" in words["train"].options["--net"] and "gmm" in words["sample"].options["--sampler"]
    assert "--no-mirror" in words["train"].options and "--run" not in words["sample"].options
    for script in (bash_script(words), bash_script(words, zsh=True), fish_script(words)):
        assert all(name in script for name in (*COMMANDS, *PRESETS))


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("tr", "train traverse"),
        ("train mnist-rae-s", "mnist-rae-sn mnist-rae-sn-own"),
        ("train mnist-svae --net in", "infogan intro intro-plain"),
        ("data show --pa", "--part"),
        ("data li", "list"),
        ("completion z", "zsh"),
        ("encode runs/x --part va", "validation"),
        ("push runs/x --licence apa", "apache-2.0"),
        ("evaluate runs/x --features rot", "rotation"),
        ("evaluate runs/x --metrics ms", "mse mse_sampled"),
        ("sample runs/fir", ""),
    ],
)
def test_bash_completes_what_is_typed(command: Command, typed: str, offered: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(command("completion", "bash").out)
    words = " ".join(f'"{word}"' for word in ["splitvae", *typed.split()])
    ask = (
        f'source ./script; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); _splitvae; echo "${{COMPREPLY[*]}}"'
    )
    done = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == offered


def test_the_doctor_names_what_is_missing_for_which_feature(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "splitvae.cli.doctor.requires", lambda _: ["torch>=2", "nosuch[x]>=3; extra == 'keras'".replace("'", '"')]
    )
    status, out, _ = command("doctor")
    assert status == 0
    line = next(line for line in out.splitlines() if line.split()[:1] == ["keras"])
    assert "inception-keras" in line and "missing: nosuch; in a clone type pip install -e '.[keras]'" in line
    facts = json.loads(command("doctor", "--json").out)
    assert facts["versions"]["splitvae"] == splitvae.__version__
    assert {"device", "precision", "threads"} <= facts["devices"].keys() and "folder" in facts["caches"]

"""`splitvae`: the list of commands, the help of each, and the exit status."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from splitvae.cli.app import COMMANDS

Command = Callable[..., Any]

OPTIONS = {  # of each command whose options do not depend on a preset
    "evaluate": "--images --data --metrics --protocol --padding --features --inception-weights --resize --sampler "
    "--components -n --generated --draws --seed --out --json",
    "sample": "-n --sampler --components --image --seed --out",
    "encode": "--data --part --out",
    "reconstruct": "--data --part -n --out",
    "figures": "--mixture --seed",
    "probe": "--data --group-by --iterations --members --seed --out --json",
    "report": "--out --json",
    "explore": "--host --port --no-browser",
    "export": "--onnx --torch-export --web",
    "reproduce": "--data --crop --out --run-folder --hours --width --epochs -n --systems --iterations --seed "
    "--checkpoints --json",
    "categories": "--features --inception-weights --resize --count -n --mirror --seed --out --json",
    "means": "--side --out --json",
    "import-keras": "--out",
    "import-ml-vae": "--out",
    "list": "--json",
}


def test_the_help_lists_every_command_with_what_it_does(command: Command) -> None:
    status, out, _ = command("--help")
    assert status == 0
    assert command() == command("help") == command("-h") == (status, out, "")
    for name, kind in COMMANDS.items():
        assert f"  {name:<13} {kind.__doc__.split()[0]}" in out
        assert kind.__doc__.splitlines()[0] in " ".join(out.split())


@pytest.mark.parametrize("name", OPTIONS)
def test_the_help_of_a_command_shows_its_options(name: str, command: Command) -> None:
    status, out, _ = command(name, "--help")
    assert status == 0
    assert f"usage: splitvae {name}" in out
    assert COMMANDS[name].__doc__.split()[:5] == out.split("\n\n")[1].split()[:5]
    words = {word.strip("│,") for word in out.split()}
    assert set(OPTIONS[name].split()) - words == set()


@pytest.mark.parametrize("name", ["--help", *(f"{name} --help" for name in OPTIONS if name not in ("evaluate", "list"))])
def test_help_waits_for_no_slow_import(name: str) -> None:
    code = f"""
import sys
from splitvae.cli.app import main
try:
    main({name.split()})
except SystemExit:
    pass
assert not {{"torch", "matplotlib", "lightning_fabric", "datasets", "sklearn"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_settings_are_checked_without_the_compiler() -> None:
    """It takes a third of the time in which a mistake in the settings of a training is answered."""
    code = "import sys, splitvae.presets.registry, splitvae.runs; assert 'torch._dynamo' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("frobnicate", "splitvae --help"),
        ("trian", "did you mean 'train'"),
        ("report nowhere", "holds no run"),
        ("report", "splitvae report runs/"),
        ("figures", "splitvae figures runs/"),
        ("figures RUN --seed -1", "--seed -1"),
        ("report RUN --out RUN/config.json/x.html", "cannot be written"),
    ],
)
def test_mistakes_are_answered_in_a_sentence_and_a_status(command: Command, trained: Path, words: str, answer: str) -> None:
    status, out, err = command(*words.replace("RUN", str(trained)).split())
    assert status == 2
    assert answer in err
    assert "Traceback" not in out + err


def test_ctrl_c_is_answered_with_its_own_status(command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("splitvae.report.page.write_report", interrupt)
    assert command("report", trained) == (130, "", "splitvae: stopped.\n")


def test_a_damaged_model_is_named(command: Command, trained: Path) -> None:
    with open(trained / "model" / "model.safetensors", "r+b") as file:
        file.truncate(5000)
    status, _, err = command("sample", trained)
    assert status == 2
    assert "damaged" in err
    (trained / "config.json").write_text("{")
    assert "damaged" in command("sample", trained).err


def test_only_a_training_works_in_several_processes(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("splitvae.utils.processes.PATIENCE_SECONDS", 0.0)
    refusal = "splitvae: torchrun started 2 processes on 1 machine, and only `splitvae train` "
    for rank, answer in (("1", ""), ("0", refusal)):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", rank)
        status, out, err = command("sweep", "introvae", "--data", "digits")
        assert (status, out) == (2, "")
        assert err.startswith(answer) and bool(err) == bool(answer)

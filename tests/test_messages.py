"""Messages say what to type in the words of their reader: settings in Python, options on the command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import splitvae
from splitvae.cli.app import main
from splitvae.errors import UserError, messages_for_shell, setting

ROOT = Path(splitvae.__file__).parent
WHOLE_COMMANDS = {
    "report/sections.py",
    "export/runtime.py",
    "reproductions/ml_vae_page.py",
    "reproductions/page.py",
    "studies/seeds.py",
}
OTHER_PROGRAMS = {"training/devices.py", "utils/processes.py"}  # options of torchrun and srun
WRITES_FLAGS = {"errors.py"}


def messages(file: Path) -> Iterator[str]:
    """Yields the strings of a file that are no docstrings, without the commands in backquotes that they hold."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield re.sub(r"`(splitvae|python) [^`]*`?", "", node.value)


def test_the_library_names_no_option_of_the_command_line_outside_of_whole_commands() -> None:
    files = {str(file.relative_to(ROOT)): file for file in ROOT.rglob("*.py") if "cli" not in file.parts}
    found = {name for name, file in files.items() if any(re.search(r"(?<![-\w])--[a-z]", text) for text in messages(file))}
    assert found - WHOLE_COMMANDS - OTHER_PROGRAMS - WRITES_FLAGS == set()


def test_a_setting_is_written_as_its_reader_types_it() -> None:
    words = [("batch_size", 26), ("latent", "grouped"), ("shape", (1, 28, 28)), ("resume", True), ("best", False), ("lr",)]
    python = ["batch_size=26", "latent='grouped'", "shape=(1, 28, 28)", "resume=True", "best=False", "`lr`"]
    assert [setting(*each) for each in words] == python
    with messages_for_shell():
        shell = ["--batch-size 26", "--latent grouped", "--shape 1 28 28", "--resume", "--no-best", "--lr"]
        assert [setting(*each) for each in words] == shell
    assert setting("lr") == "`lr`"  # also after a command


def test_the_same_mistake_is_answered_in_python_and_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"^run exists and holds no run; give another folder with `out`\.$"):
        splitvae.Run.begin("run", splitvae.Config(), {})
    assert main(["train", "digits-svae", "--group-members", "2", "--out", "new"]) == 2
    assert "--group-members 2 acts only with a latent of groups, such as --latent grouped; choose that, or leave " in (
        error := capsys.readouterr().err
    )
    assert "--group-members out" in error.replace("\n", " ")
    with pytest.raises(UserError, match=r"such as latent='grouped'; choose that, or leave `group_members` out\.$"):
        splitvae.Config().override(group_members=2)

"""`train --overwrite`: asks once, and moves the run of a folder aside, so that nothing is lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError
from ..utils.files import read_json
from ..utils.lock import LOCK, lock_folder
from ..utils.text import count_noun
from .checks import is_run

__all__ = ["holds_runs", "run_moved_aside"]

ASIDE = ".overwritten"  # a folder beside the run's, which patterns such as runs/* do not match


def holds_runs(folder: Path) -> bool:
    """Returns whether a folder is a run, or holds the runs of several seeds.

    Raises:
        UserError: If the folder holds anything else.
    """
    if is_run(folder) or any(folder.glob("seed-*/config.json")):
        return True
    if folder.exists() and (not folder.is_dir() or {file.name for file in folder.iterdir()} - {LOCK}):
        raise UserError(f"{folder} exists and holds no run; give another folder with --out.")
    return False


@contextmanager
def run_moved_aside(folder: Path, yes: bool) -> Iterator[None]:
    """Moves the run in a folder aside for the block, and back if the block fails before it has begun a new one.

    Arguments:
        folder: The folder, which holds a run, or the runs of several seeds.
        yes: Whether the user has agreed, so that nobody is asked.

    Raises:
        UserError: If the user does not agree, if nobody can be asked, or if a training writes in the folder.
    """
    with lock_folder(folder):
        pass  # a training that writes there keeps its folder
    aside = _free_name(folder.parent / ASIDE / folder.name)
    _confirm(f"{folder} holds {_describe(folder)}.", f"Move it to {aside} and train anew?", yes)
    aside.parent.mkdir(exist_ok=True)
    os.replace(folder, aside)
    print(f"What {folder} held is now in {aside}; delete that when you no longer need it.", file=sys.stderr)
    try:
        yield
    except BaseException:
        if not folder.exists() or not any(folder.iterdir()):
            if folder.exists():
                folder.rmdir()
            os.replace(aside, folder)
            print(f"{folder} holds its run again, since no new one was begun.", file=sys.stderr)
        raise


def _confirm(fact: str, question: str, yes: bool) -> None:
    """Asks a question at the keyboard; raises UserError unless the answer is yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{fact} Nobody can be asked here; add --yes to move it aside and train anew.")
    print(f"{fact} {question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("nothing was changed; give another folder with --out, or continue the run with --resume.")


def _describe(folder: Path) -> str:
    """Returns what a folder holds, in a few words."""
    if not is_run(folder):
        return count_noun(len(list(folder.glob("seed-*/config.json"))), "run")
    config, history = read_json(folder / "config.json"), folder / "history.jsonl"
    done = len(history.read_text(encoding="utf-8", errors="replace").splitlines()) if history.exists() else 0
    planned = config.get("training", {}).get("epochs", done)
    state = "finished" if done >= planned else f"{done} done"
    return f"a run of {config.get('preset') or 'a model without preset'}, {count_noun(planned, 'epoch')}, {state}"


def _free_name(path: Path) -> Path:
    """Returns a path at which nothing is, numbered if need be."""
    return next(p for p in (path, *(path.with_name(f"{path.name}-{i}") for i in range(2, 10_000))) if not p.exists())

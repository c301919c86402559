"""Follows one batch from `splitvae.load` to its loss: prints the files that it enters and how often it climbs back.

A climb is a call from a lower package to a higher one. Only functions of the library are counted, each file
once, between the call of `load` and the end of the first loss.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

import splitvae
from splitvae.objectives.elbo import ELBOLoss

ROOT = Path(splitvae.__file__).parent


def order() -> list[set[str]]:
    """Returns the rows of packages in docs/architecture.md, from the highest to the lowest."""
    text = (ROOT.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    return [set(line.split()) for line in text.split("```order\n")[1].split("```")[0].splitlines()]


def package_of(file: Path) -> str:
    """Returns the package, or the module of the root, that a file belongs to."""
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def main() -> None:
    """Trains a small model for one step and prints the path of its batch."""
    height = {name: i for i, row in enumerate(reversed(order())) for name in row}
    files: list[Path] = []
    calls: list[tuple[Path, Path]] = []
    done = False

    def trace(frame: FrameType, event: str, value: Any) -> None:
        nonlocal done
        file = Path(frame.f_code.co_filename)
        if done or event not in ("call", "return") or ROOT not in file.parents or frame.f_code.co_name == "<module>":
            return
        if event == "return":
            done = frame.f_code is ELBOLoss.forward.__code__
            return
        if file not in files:
            files.append(file)
        caller = frame.f_back
        while caller is not None and ROOT not in Path(caller.f_code.co_filename).parents:
            caller = caller.f_back
        if caller is not None and Path(caller.f_code.co_filename) != file:
            calls.append((Path(caller.f_code.co_filename), file))

    with tempfile.TemporaryDirectory() as folder:
        splitvae.train, splitvae.load, splitvae.ELBO  # noqa: B018  # imported before the path begins
        sys.setprofile(trace)
        images = splitvae.load("digits", side=16)
        splitvae.train("digits-svae", images, out=folder + "/run", epochs=1, width=4, preview_every=0, progress=False)
        sys.setprofile(None)
    climbs = {(a, b) for a, b in calls if height.get(package_of(a), 99) < height.get(package_of(b), 99)}
    for file in files:
        print(file.relative_to(ROOT))
    print(f"{len(files)} files, {len(climbs)} calls from a lower package to a higher one")
    for a, b in sorted(climbs):
        print(f"  {a.relative_to(ROOT)} -> {b.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

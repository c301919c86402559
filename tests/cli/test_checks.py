"""Mistakes that are answered before a model, images, or even PyTorch are loaded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Command = Callable[..., Any]

MISTAKES = [  # with the beginning of what each is answered
    ("sample RUN --sampler gnm", "gnm"),
    ("sample RUN --sampler gmm --out x.gif", "x.gif does not end in .png or .npz"),
    ("sample RUN --image x3", "it has blend, x1, x2, mix"),
    ("sample RUN --components 3", "add --sampler gmm"),
    ("sample RUN --out RUN/config.json/x.png", "cannot be written"),
    ("encode RUN --out codes.png", "does not end in .npz"),
    ("encode RUN --part tset", "--part tset is no part"),
    ("encode RUN --split test", "--split is --part"),
    ("reconstruct RUN --split=test", "--split is --part"),
    ("data show digits --split test", "--split is --part"),
    ("train digits-svae --split train", "--split is the number of components"),
    ("traverse RUN x.png -n 999", "-n 999 is more than"),
    ("data show .", "would lie among the images of .; give another place with --out"),
    ("data show digits --part tset", "--part tset is no part"),
    ("data show digits --channels 2", "--channels 2"),
    ("data prepare digits --side 0", "--side 0 must be at least 1"),
    ("encode RUN/..", "holds no run"),
    ("encode RUNS", "did you mean"),
    ("figures RUN nowhere", "nowhere does not exist"),
    ("report RUN --out report.pdf", "does not end in .html"),
    ("probe RUN --members 0", "--members 0"),
    ("probe RUN --out RUN/config.json", "cannot be written"),
    ("evaluate RUN nowhere", "nowhere does not exist"),
    ("evaluate RUN --sampler gnm", "gnm"),
    ("evaluate RUN --draws 0", "--draws 0"),
    ("evaluate RUN --out x.json", "--json prints them"),
    ("evaluate RUN --sampler flow --components 3", "add --sampler gmm"),
    ("evaluate --images digits digits --out x.txt", "does not end in .json"),
    ("means digits --side 0", "--side 0"),
    ("categories digits --out RUN/config.json", "cannot be written"),
    ("reproduce digits --hours 0", "--hours 0"),
    ("sweep introvae --alpha x", "--alpha x is no number"),
    ("train digits-svae --out RUN", "already holds a run; continue it with --resume, replace it with --overwrite"),
    ("train digits-svae --out RUN --resume --overwrite", "leave one of them out"),
    ("train digits-svae --out RUN/model", "exists and holds no run"),
    ("train digits-svae --out RUN/config.json/x", "cannot be written"),
    ("interpolate RUN IMAGE nowhere.png", "nowhere.png does not exist"),
    ("interpolate RUN RUN/config.json IMAGE", "config.json is no image"),
    ("interpolate RUN IMAGE IMAGE --steps 1", "--steps 1"),
    ("interpolate RUN IMAGE IMAGE --out x.npz", "does not end in .png"),
    ("traverse RUN RUN", "is a folder; give the file of one image"),
    ("traverse RUN IMAGE --latents 99", "--latents 99 is none of the model; it has 0 to 15"),
    ("completion tcsh", "tcsh"),
]


def test_no_mistake_waits_for_pytorch(trained: Path, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    names = {"IMAGE": str(tmp_path / "a.png"), "RUNS": f"{trained}s", "RUN": str(trained)}
    lines = [line for line, _ in MISTAKES]
    for name, value in names.items():
        lines = [line.replace(name, value) for line in lines]
    code = f"""
import contextlib, io, sys
from splitvae.cli.app import main
for line in {lines!r}:
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(err):
        try:
            status = main(line.split())
        except SystemExit as end:
            status = end.code
    print(status, "torch" in sys.modules, " ".join(err.getvalue().split()))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    for line, (words, answer) in zip(done.stdout.splitlines(), MISTAKES, strict=True):
        assert line.startswith("2 False "), (words, line)
        assert answer in line, (words, line)
        assert "Traceback" not in line


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("evaluate RUN --features inceptoin", "did you mean 'inception'"),
        ("evaluate RUN --metrics msee", "did you mean 'mse'"),
        ("evaluate RUN --features inception --inception-weights no.pth", "no.pth cannot be read"),
        ("evaluate RUN --data nowhere", "'nowhere' is neither a known data set"),
        ("evaluate --images digits nowhere", "'nowhere' is neither a known data set"),
        ("evaluate --images digits digits --features nosuch", "no features are called 'nosuch'"),
        ("categories digits --features nosuch", "no features are called 'nosuch'"),
        ("means digits nowhere", "'nowhere' is neither a known data set"),
        ("reproduce digits --systems svea", "digits has no system 'svea'"),
        ("train digits-svae --data nowhere", "'nowhere' is neither a known data set"),
        ("train digits-svae --shape 1 33 33", "not 33"),
        ("train digits-svae --split 0", "--split 0 must be at least 1"),
        ("train digits-svae --scales 9", "the most for this side is --scales 4"),
        ("train digits-svae --crop 0", "--crop 0 must be at least 1"),
    ],
)
def test_mistakes_are_found_before_images_are_read(
    command: Command, trained: Path, words: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("splitvae.data.sources._read_source", lambda *_: pytest.fail("images were read"))
    status, out, err = command(*words.replace("RUN", str(trained)).split())
    assert (status, out) == (2, "")
    assert answer in err

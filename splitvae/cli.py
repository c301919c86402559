"""The command line: `splitvae COMMAND --help` explains each."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from .errors import UserError, nearest

__all__ = ["main"]

# Heavy imports stand in the commands, so that --help and mistakes answer at once.


def train(arguments: Sequence[str]) -> None:
    """Train a preset, or a model chosen to fit your images, and write a report."""
    from .presets import Config, configure
    from .runs import Run

    name, rest = (arguments[0], arguments[1:]) if arguments and not arguments[0].startswith("-") else ("", arguments)
    folder = option(rest, "--out") or "runs/" + (name or "mine")
    begun = [f.parent for f in (Path(folder) / "config.json", *Path(folder).glob("seed-*/config.json")) if f.exists()]
    resuming = "--resume" in rest and bool(begun)
    base = min((Run(f).config for f in begun), key=lambda c: c.seed) if resuming else configure(name) if name else Config()
    if resuming and name and name != base.preset:
        raise UserError(f"{folder} was begun as {base.preset or 'a model without preset'}, not {name}.")

    @dataclass
    class Train:
        config: Annotated[Config, tyro.conf.OmitArgPrefixes]
        out: str = folder
        """Folder of the run."""
        resume: bool = False
        """Go on where the run stopped; a finished or missing one is said to be so."""
        seeds: int = 1
        """Train this many runs, seeds counting up, and write one summary with deviations."""
        report: bool = True
        """Measure the model on test images, draw figures and write report.html at the end."""

    shown = "[PRESET] " if not name else name + " "
    asked = parse(Train, rest, f"splitvae train {shown}", train.__doc__, default=Train(base))
    if asked.config.data is None and not name:
        raise UserError("say what to train on: a preset (`splitvae list` shows them) or your images with --data FOLDER.")
    if asked.seeds < 1:
        raise UserError(f"--seeds {asked.seeds} trains nothing; it is a number of runs, at least 1.")

    from . import evaluate, report, trials
    from .engine import first_process
    from .training import train as run_training

    flags = {word.split("=")[0].replace("_", "-") for word in rest}
    fields = {f.name: f"-{f.name.replace('_', '-')}" for f in dataclasses.fields(Config)}
    typed = {name: getattr(asked.config, name) for name, f in fields.items() if {"-" + f, "--no" + f} & flags}
    if asked.seeds > 1:
        trials.train(asked.config, Path(asked.out), asked.seeds, asked.resume, asked.report, **typed)
        return
    run = run_training(asked.config, out=asked.out, resume=asked.resume, **typed)
    if asked.report and first_process():
        print(evaluate.table(evaluate.diagnose(run)))
        print(f"Report: {report.write([run])}")


@dataclass
class Sample:
    """Draw images from a run's model."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """How many."""
    sampler: str = "prior"
    """Where latents come from: prior, or gmm (a Gaussian mixture fitted to the training codes)."""
    components: int = 20
    """Components of the mixture."""
    seed: int = 0
    """Seed of the draw."""
    out: Path | None = None
    """A .png sheet, an .npz of arrays (image, images, masks), or a folder of PNGs; by default RUN/samples-SAMPLER.png."""

    def __call__(self) -> None:
        from .output import write_canvas
        from .runs import Run
        from .samplers import sampler_for

        if self.n < 1:
            raise UserError(f"-n {self.n} asks for no image; it must be at least 1.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        run = Run(self.run)
        parameters = {"components": self.components} if self.sampler == "gmm" else {}
        z = sampler_for(run, self.sampler, **parameters).sample(self.n, self.seed)
        out = self.out or run.path / f"samples-{self.sampler}.png"
        write_canvas(out, run.vae, z)
        print(f"{self.n} samples: {out}")


@dataclass
class Encode:
    """Turn images into latent codes (.npz with mean, logvar and, where known, labels)."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    data: str | None = None
    """Images to encode; by default those of the run."""
    split: str = ""
    """train, test or all; by default all images of --data, or the test part of the run's."""
    out: Path | None = None
    """The .npz file; by default RUN/codes-SPLIT.npz."""

    def __call__(self) -> None:
        import numpy as np

        from .files import replacing
        from .runs import Run, encode

        run = Run(self.run)
        split = self.split or ("all" if self.data else "test")
        images = run.images(split, self.data)
        tell(images)
        codes = encode(run.vae, images)
        out = self.out or run.path / f"codes-{split}.npz"
        arrays = {name: value.numpy() for name, value in codes._asdict().items() if value is not None}
        with replacing(out) as draft, draft.open("wb") as file:
            np.savez(file, **arrays)
        print(f"{len(codes.mean)} codes of dimension {codes.mean.shape[1]}: {out}")


@dataclass
class Reconstruct:
    """Encode images and decode them again."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    data: str | None = None
    """Images to reconstruct; by default the test images of the run."""
    split: str = ""
    """train, test or all; by default all images of --data, or the test part of the run's."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """How many, from the first."""
    out: Path | None = None
    """A .png sheet, an .npz of arrays, or a folder of PNGs; by default RUN/reconstructions.png."""

    def __call__(self) -> None:
        import torch

        from .output import write_canvas
        from .runs import Run, encode

        run = Run(self.run)
        if self.n < 1:
            raise UserError(f"-n {self.n} asks for no image; it must be at least 1.")
        images = run.images(self.split or ("all" if self.data else "test"), self.data)
        tell(images)
        some = dataclasses.replace(images, pixels=images.pixels[: self.n], labels=None)
        out = self.out or run.path / "reconstructions.png"
        write_canvas(out, run.vae, encode(run.vae, some).mean, originals=some.pixels.to(torch.float32) / 255)
        print(f"{len(some)} reconstructions: {out}")


@dataclass
class Figures:
    """Draw every figure of one or more runs again."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs."""
    components: int = 20
    """Components of the Gaussian mixture whose samples are shown beside the prior's; 0 leaves them out."""
    seed: int = 0
    """Seed of what is drawn."""

    def __call__(self) -> None:
        from .figures import draw
        from .runs import Run
        from .samplers import sampler_for

        if not self.runs:
            raise UserError("say of which run, such as `splitvae figures runs/mnist-svae`.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        for run in [Run(path) for path in self.runs]:
            extra = {}
            if self.components:
                extra["gmm"] = sampler_for(run, "gmm", components=self.components).sample(100, self.seed)
            for path in draw(run, extra, self.seed):
                print(path)


@dataclass
class Report:
    """Write one self-contained HTML page about a run, or one that compares several."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs."""
    out: Path | None = None
    """The page; by default RUN/report.html, or comparison.html for several runs."""

    def __call__(self) -> None:
        from .report import write
        from .runs import Run

        if not self.runs:
            raise UserError("say of which run, such as `splitvae report runs/mnist-svae`.")
        print(f"Report: {write([Run(path) for path in self.runs], self.out)}")


@dataclass
class List:
    """Show the presets, data sets and samplers there are."""

    def __call__(self) -> None:
        from .data import NAMES
        from .presets import PRESETS
        from .samplers import SAMPLERS

        print("presets       data                   image      latent  split  width  epochs")
        for name, c in PRESETS.items():
            shape = "x".join(map(str, c.shape or ()))
            print(f"  {name:<11} {c.data:<22} {shape:<10} {c.latent_dim:>6} {c.split:>6} {c.width:>6} {c.epochs:>7}")
        print("data          " + ", ".join(NAMES) + ", hf://ORG/NAME, or the path of a folder, parquet, npy or npz file")
        print("samplers      " + ", ".join(SAMPLERS))


COMMANDS: dict[str, Any] = {
    "train": train,
    "sample": Sample,
    "encode": Encode,
    "reconstruct": Reconstruct,
    "figures": Figures,
    "report": Report,
    "list": List,
}


def tell(images: Any) -> None:
    """Prints what is worth knowing of images that were read, such as files that were skipped."""
    for note in images.notes:
        print(f"Note: {note}")


def option(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option before the others are parsed."""
    for i, word in enumerate(arguments):
        if word == name and i + 1 < len(arguments):
            return arguments[i + 1]
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
    return None


def parse(kind: Any, arguments: Sequence[str], prog: str, about: str | None, **default: Any) -> Any:
    return tyro.cli(kind, args=list(arguments), prog=prog, description=about, **default)


def usage() -> str:
    lines = ["usage: splitvae COMMAND [ARGUMENTS]   (splitvae COMMAND --help explains one)", ""]
    lines += [f"  {name:<12} {(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join([*lines, "", "Begin with: splitvae train digits-svae", "or:         splitvae train --data MY_PHOTOS"])


def dispatch(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise UserError(f"no command is called {name!r}; {nearest(name, COMMANDS)} `splitvae --help` shows them all.")
    if name == "train":
        train(rest)
    else:
        parse(COMMANDS[name], rest, f"splitvae {name}", COMMANDS[name].__doc__)()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, 2 for a mistake, 130 for Ctrl-C."""
    from_shell = sys.argv[1:] if arguments is None else arguments
    try:
        dispatch(from_shell)
    except UserError as error:
        print(f"splitvae: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        print(f"splitvae: {error.filename or 'a file'} cannot be read or written: {error.strerror}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("splitvae: stopped.", file=sys.stderr)
        return 130
    return 0

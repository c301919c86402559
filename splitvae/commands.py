"""The commands about a run: draw from it, encode with it, show it."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from .errors import UserError

__all__ = ["Encode", "Figures", "List", "Reconstruct", "Report", "Sample", "tell"]

# Heavy imports stand in the commands, so that --help and mistakes answer at once.


@dataclass
class Sample:
    """Draw images from a run's model."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """How many."""
    sampler: str = "prior"
    """Where latents come from: prior, or a density fitted to the training codes: gmm, second-stage, flow."""
    components: int = 0
    """Components of a mixture; 0 picks them by held-out likelihood."""
    seed: int = 0
    """Seed of the draw."""
    out: Path | None = None
    """A .png sheet, an .npz of arrays (image, images, masks), or a folder of PNGs; by default RUN/samples-SAMPLER.png."""

    def __call__(self) -> None:
        from .output import write_canvas
        from .runs import Run
        from .samplers import sampler_for
        from .scores import sampler_parameters

        if self.n < 1:
            raise UserError(f"-n {self.n} asks for no image; it must be at least 1.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        run = Run(self.run)
        parameters = sampler_parameters(run, self.sampler)
        if self.sampler == "gmm" and self.components:
            parameters["components"] = self.components
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
    mixture: bool = True
    """Show samples of a Gaussian mixture fitted to the codes beside the prior's."""
    seed: int = 0
    """Seed of what is drawn."""

    def __call__(self) -> None:
        from .figures import draw
        from .runs import Run
        from .samplers import sampler_for
        from .scores import sampler_parameters

        if not self.runs:
            raise UserError("say of which run, such as `splitvae figures runs/mnist-svae`.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        for run in [Run(path) for path in self.runs]:
            extra = {}
            if self.mixture:
                try:
                    extra["gmm"] = sampler_for(run, "gmm", **sampler_parameters(run, "gmm")).sample(100, self.seed)
                except UserError as error:  # such as images that are nowhere to be read
                    print(f"Note: {run.path} is shown without samples of a mixture: {error}")
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
    """Show the presets, data sets, samplers, features and protocols there are."""

    def __call__(self) -> None:
        from .data import NAMES
        from .features import EXTRACTORS
        from .presets import PRESETS
        from .samplers import SAMPLERS
        from .scores import PROTOCOLS
        from .wording import aligned

        rows = [
            [
                name,
                str(c.data),
                "x".join(map(str, c.shape or ())),
                c.net,
                *map(str, (c.latent_dim, c.split, c.width, c.epochs)),
            ]
            for name, c in PRESETS.items()
        ]
        print(aligned(["preset", "data", "image", "network", "latent", "split", "width", "epochs"], rows))
        print("Presets that end in -own stand on the network, and follow the schedule, of the baseline's own paper.\n")
        for what, names in {"samplers": SAMPLERS, "features": EXTRACTORS, "protocols": PROTOCOLS}.items():
            print(f"{what:<10} " + ", ".join(names))
        print(f"{'data':<10} " + ", ".join(NAMES) + ", hf://ORG/NAME, or the path of a folder, parquet, npy or npz file")


def tell(images: Any) -> None:
    """Prints what is worth knowing of images that were read, such as files that were skipped."""
    for note in images.notes:
        print(f"Note: {note}")

"""TODO docstring of cli.encode."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from .options import print_notes

__all__ = ["Encode"]


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

        from ..models.codes import encode
        from ..runs import Run
        from ..utils.files import atomic_write

        run = Run(self.run)
        split = self.split or ("all" if self.data else "test")
        images = run.images(split, self.data)
        print_notes(images)
        codes = encode(run.vae, images)
        out = self.out or run.path / f"codes-{split}.npz"
        arrays = {name: value.numpy() for name, value in codes._asdict().items() if value is not None}
        with atomic_write(out) as draft, draft.open("wb") as file:
            np.savez(file, **arrays)
        print(f"{len(codes.mean)} codes of dimension {codes.mean.shape[1]}: {out}")

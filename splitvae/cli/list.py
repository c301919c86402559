"""TODO docstring of cli.list."""

from dataclasses import dataclass

__all__ = ["List"]


@dataclass
class List:
    """Show the presets, data sets, samplers, features and protocols there are."""

    def __call__(self) -> None:
        from ..data.sources import SOURCE_NAMES
        from ..evaluation.scores import PROTOCOLS
        from ..features.registry import EXTRACTORS
        from ..presets.registry import PRESETS
        from ..samplers.registry import SAMPLERS
        from ..utils.text import align_columns

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
        print(align_columns(["preset", "data", "image", "network", "latent", "split", "width", "epochs"], rows))
        print("Presets that end in -own stand on the network, and follow the schedule, of the baseline's own paper.\n")
        for what, names in {"samplers": SAMPLERS, "features": EXTRACTORS, "protocols": PROTOCOLS}.items():
            print(f"{what:<10} " + ", ".join(names))
        print(
            f"{'data':<10} "
            + ", ".join(SOURCE_NAMES)
            + ", hf://ORG/NAME, or the path of a folder, parquet, npy or npz file"
        )

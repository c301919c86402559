"""TODO docstring of cli.list."""

from dataclasses import dataclass

__all__ = ["List"]


@dataclass
class List:
    """Show the presets, data sets, samplers, features and protocols there are."""

    def __call__(self) -> None:
        from ..data.sources import NAMES
        from ..evaluation.fitted_samplers import PROTOCOLS
        from ..features.registry import EXTRACTORS
        from ..metrics.registry import METRICS
        from ..presets.registry import PRESETS
        from ..samplers.registry import SAMPLERS
        from ..utils.text import aligned

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
        choices = {"samplers": SAMPLERS, "features": EXTRACTORS, "protocols": PROTOCOLS, "metrics": METRICS}
        for what, names in choices.items():
            print(f"{what:<10} " + ", ".join(names))
        print(f"{'data':<10} " + ", ".join(NAMES) + ", hf://ORG/NAME, or the path of a folder, parquet, npy or npz file")

"""The command that shows what there is."""

from dataclasses import dataclass

__all__ = ["List"]

# Heavy imports stand in the commands, so that --help and mistakes answer at once.


@dataclass
class List:
    """Show the presets, data sets, and every choice by name: networks, latents, losses, samplers, features."""

    def __call__(self) -> None:
        from ..data.sources import SOURCE_NAMES
        from ..evaluation.scores import PROTOCOLS
        from ..features.registry import EXTRACTORS
        from ..metrics.registry import METRICS
        from ..models.latents import LATENTS
        from ..networks.registry import NETWORKS
        from ..objectives.kl_weight import KL_SCHEDULES
        from ..objectives.registry import OBJECTIVES
        from ..objectives.variance import VARIANCES
        from ..presets.registry import PRESETS
        from ..samplers.registry import SAMPLERS
        from ..utils.text import align_columns

        rows = []
        for name, config in PRESETS.items():
            model, options = config.model, config.options()
            shape = "x".join(map(str, model.shape or ()))
            sizes = model.latent_dim, model.split, options.get("width", "-"), config.training.epochs
            rows.append([name, str(config.data.source), shape, model.net.name, *map(str, sizes)])
        print(align_columns(["preset", "data", "image", "network", "latent", "split", "width", "epochs"], rows))
        print("Presets that end in -own stand on the network, and follow the schedule, of the baseline's own paper.\n")
        for registry in (NETWORKS, LATENTS, OBJECTIVES, VARIANCES, KL_SCHEDULES, SAMPLERS):
            print(f"--{registry.option:<10} " + ", ".join(registry))
        for option, names in {"features": EXTRACTORS, "protocol": PROTOCOLS, "metrics": METRICS}.items():
            print(f"--{option:<10} " + ", ".join(names))
        print(f"--{'data':<10} {', '.join(SOURCE_NAMES)}, hf://ORG/NAME, or a folder, parquet, npy or npz file")

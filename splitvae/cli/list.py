"""The command `list`: prints the presets, and every choice by name."""

from dataclasses import dataclass
from typing import Any, ClassVar

from .options import Json

__all__ = ["List"]


@dataclass
class List:
    """List the presets, and the names that options take: networks, latents, losses, samplers, features, metrics."""

    json: Json = False
    is_a_table: ClassVar[bool] = True

    def __call__(self) -> dict[str, Any]:
        from ..data.sources import SOURCE_NAMES
        from ..evaluation.protocols import PROTOCOLS
        from ..features.registry import EXTRACTORS
        from ..metrics.registry import METRICS
        from ..models.vae import SPLIT_DECODERS
        from ..presets.registry import PRESETS
        from ..utils.text import align_columns
        from .choices import as_flag, list_registries

        rows, presets = [], []
        for name, config in PRESETS.items():
            model, options = config.model, config.options()
            shape = "x".join(map(str, model.shape or ()))
            sizes = model.latent_dim, model.split, options.get("width", "-"), config.training.epochs
            rows.append([name, str(config.data.source), shape, model.net.name, *map(str, sizes)])
            sizes = model.latent_dim, model.split, options.get("width"), config.training.epochs
            presets.append([name, config.data.source, model.shape, model.net.name, *sizes])
        print(align_columns(["preset", "data", "image", "network", "latent", "split", "width", "epochs"], rows))
        print("Presets that end in -own have the network and the schedule of the baseline's own paper.\n")
        names = {registry.option: ", ".join(registry) for registry in list_registries()}
        names |= {"features": ", ".join(EXTRACTORS), "protocol": ", ".join(PROTOCOLS)}
        names["data"] = (
            f"{', '.join(SOURCE_NAMES)}, hf://ORG/NAME[/CONFIG][:SPLIT], or a folder, parquet, npy, npz or tar.gz file"
        )
        names["split_decoder"] = ", ".join(SPLIT_DECODERS)
        names["metrics"] = ", ".join(METRICS)
        for option, text in names.items():
            print(f"{as_flag(option):<17}{text}")
        columns = ["name", "data", "shape", "network", "latent_dim", "split", "width", "epochs"]
        choices = {registry.option: list(registry) for registry in list_registries()}
        choices |= {"features": list(EXTRACTORS), "protocol": list(PROTOCOLS), "data": list(SOURCE_NAMES)}
        choices |= {"split_decoder": list(SPLIT_DECODERS), "metrics": list(METRICS)}
        return {"presets": [dict(zip(columns, values, strict=True)) for values in presets], "choices": choices}

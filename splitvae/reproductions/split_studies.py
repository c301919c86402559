"""What controls the split: the number of components, the two weights, the scale of the maps, and the decoder.

Everything else is equal: the network, which is half as wide as in the tables, the epochs and the images. Several seeds of
the plain setting show what chance does.
"""

from __future__ import annotations

from .experiment import Experiment, Figure, Page, System, Table
from .findings import compare_pair
from .split_findings import compare_components, compare_random_component, count_types

__all__ = ["split_study"]

WIDTH = 8
AMBIGUITIES = (0.01, 0.03, 0.1, 0.3, 1.0)
SMOOTHNESSES = (0.0001, 0.001, 0.01)
SMOOTH = "smoothness 0.001"
SETTINGS = ("K", "ambiguity weight", "smoothness weight", "map scale", "map norm", "decoder", "seeds")
QUALITY = (
    "GEN",
    "GEN nearest",
    "GEN mix",
    "EX-POST mixture",
    "EX-POST nearest",
    "EX-POST mix",
    "EX-POST precision",
    "EX-POST recall",
)
CODES = ("inactive by mean", "inactive by variance", "active", "KL", "MSE", "bits")
MAPS = ("type", "map high", "map edges", "map contrast", "map ambiguity", "minutes")
SHOWN_TWICE = ("k2", "scale-8", "scale-8-smooth", "norm-4-smooth")  # with two seeds
ALONE = (
    "k2",
    "ambiguity-0.3",
    "ambiguity-1",
    "scale-8",
    "scale-8-smooth",
    "norm-4-smooth",
)  # whose components may be right alone
COMPARED = ("GEN", "EX-POST mixture", "MSE", "inactive by mean", "active")


def split_study(name: str, title: str, preset: str, seeds: int, epochs: int) -> Experiment:
    """Returns the experiment on the split of one data set.

    Arguments:
        name: The name of the experiment.
        title: The heading of its page.
        preset: The preset of a Split-VAE.
        seeds: The number of runs of K = 1, K = 2 and scaled maps; the others have one less.
        epochs: The number of epochs of the paper.
    """
    fewer = max(1, seeds - 1)
    by_number = [System(f"k{k}", f"K = {k}", preset, {"split": k}, seeds if k < 3 else fewer) for k in (1, 2, 3, 4)]
    by_ambiguity = [
        System(f"ambiguity-{a:g}", f"K = 2, ambiguity {a:g}", preset, {"ambiguity": a}, fewer) for a in AMBIGUITIES
    ]
    by_smoothness = [
        System(f"smoothness-{s:g}", f"K = 2, smoothness {s:g}", preset, {"smoothness": s}, fewer) for s in SMOOTHNESSES
    ]
    norm = {"map_norm": True, "map_scale": 4.0, "smoothness": 0.001}
    by_scale = [
        System("scale-8", "K = 2, maps times 8", preset, {"map_scale": 8.0}, seeds),
        System("scale-8-smooth", f"K = 2, maps times 8, {SMOOTH}", preset, {"map_scale": 8.0, "smoothness": 0.001}, seeds),
        System("norm-4-smooth", f"K = 2, normalised maps times 4, {SMOOTH}", preset, norm, seeds),
        System("norm-4-smooth-k3", f"K = 3, normalised maps times 4, {SMOOTH}", preset, norm | {"split": 3}),
    ]
    separate = {"split_decoder": "separate"}
    by_decoder = [
        System("separate", "K = 2, separate decoders", preset, separate, fewer),
        System("separate-k3", "K = 3, separate decoders", preset, separate | {"split": 3}),
        System("separate-ambiguity", "K = 2, separate, ambiguity 0.1", preset, separate | {"ambiguity": 0.1}),
    ]
    systems = (*by_number, *by_ambiguity, *by_smoothness, *by_scale, *by_decoder)
    tables = (
        Table("Distances and shares", SETTINGS + QUALITY),
        Table("Latent variables and reconstructions", SETTINGS + CODES),
        Table("The maps", SETTINGS + MAPS),
    )
    pairs = [("k2", "k1"), ("k3", "k1"), ("k3", "k2")]
    pairs += [
        (key, "k2") for key in ("ambiguity-0.1", "ambiguity-1", "scale-8", "scale-8-smooth", "norm-4-smooth", "separate")
    ]
    figures = [
        Figure(system.key, "components", "map, components and blend", seed)
        for system in systems
        if system.key != "k1"
        for seed in range(min(system.seeds, 2 if system.key in SHOWN_TWICE else 1))
    ]
    introduction = (
        "Is the paper's claim true that splitting keeps more latent variables alive and improves samples at equal cost? "
        "And what decides what the map means? Each row differs from K = 2 in the settings that it shows."
    )
    differences = (compare_pair(first, second, COMPARED) for first, second in pairs)
    alone = (compare_random_component(key) for key in ALONE)
    findings = (*differences, compare_components, *alone, count_types)
    return Experiment(name, systems, Page(title, introduction, tables, findings, tuple(figures)), epochs, WIDTH)

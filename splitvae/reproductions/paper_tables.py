"""The paper's Tables 1, 3 and 4: a Split-VAE, its unsplit twin and the baselines on MNIST, CIFAR-10 and CelebA.

All systems of a table have the Split-VAE's network and training, so that they are compared at equal cost; the gradient
penalty alone costs four to five times as much.

Reference: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022).
https://doi.org/10.1109/ACCESS.2022.3185654
"""

from __future__ import annotations

from ..presets.registry import PRESETS
from .experiment import Experiment, Figure, Page, System, Table
from .findings import compare_order, compare_pair
from .published import PUBLISHED
from .split_findings import compare_random_component

__all__ = ["paper_table"]

USUAL_LATENT_DIMS = {"mnist": 16, "cifar10": 128, "celeba": 64}
TITLES = {
    "svae": "Split-VAE",
    "vae": "its unsplit twin",
    "beta-vae": "beta-VAE",
    "2svae": "two-stage VAE, learned variance (Dai, Wipf 2019)",
    "2svae-balanced": "two-stage VAE, balanced (Asperti, Trentin 2020)",
    "rae-l2": "RAE-L2",
    "rae-gp": "RAE-GP",
    "rae-sn": "RAE-SN",
}
DISTANCES = (
    "parameters",
    "seeds",
    "REC",
    "GEN",
    "paper GEN",
    "EX-POST mixture",
    "EX-POST second stage",
    "EX-POST flow",
    "paper EX-POST",
    "mixture size",
)
COMPONENTS = (
    "K",
    "GEN",
    "GEN nearest",
    "GEN farthest",
    "GEN mix",
    "paper GEN components",
    "EX-POST mixture",
    "EX-POST nearest",
    "EX-POST farthest",
    "EX-POST mix",
)
SHARES = tuple(f"{bank} {share}" for bank in ("GEN", "EX-POST") for share in ("precision", "density", "recall", "coverage"))
LATENTS = ("latent dim", "inactive by mean", "inactive by variance", "active", "KL", "MSE", "bits", "sharpness", "power")
SIZES = ("latent dim", "side", "seeds", "REC", "GEN", "EX-POST mixture", *LATENTS[1:4], "MSE", "bits")
MAPS = (
    *("map scale", "map norm", "smoothness weight", "seeds", "GEN", "GEN nearest", "GEN mix", "EX-POST mixture"),
    *("EX-POST nearest", "EX-POST mix", "MSE", "active", "type", "map edges", "map contrast"),
)
TWIN_COLUMNS = (
    "GEN",
    "EX-POST mixture",
    "EX-POST precision",
    "EX-POST recall",
    "MSE",
    "inactive by mean",
    "inactive by variance",
)


def paper_table(data: str, title: str, introduction: str, seeds: int, epochs: int, *, private: bool = False) -> Experiment:
    """Returns the experiment of one data set.

    Arguments:
        data: The data set: "mnist", "cifar10" or "celeba".
        title: The heading of its page.
        introduction: What is trained, in a paragraph.
        seeds: The number of runs of the Split-VAE and of its twin; the others have one.
        epochs: The number of epochs of the paper.
        private: Whether images must not be shown, so that the page has no reconstructions.
    """
    systems = tuple(
        System(
            key,
            name,
            f"{data}-{key}",
            seeds=seeds if key in ("svae", "vae") else 1,
            samplers=_samplers(key),
            more_samplers=("second-stage", "flow") if key in ("svae", "vae") else (),
            published=PUBLISHED[data].get(key),
        )
        for key, name in TITLES.items()
    )
    main = tuple(TITLES)
    sizes, dim = _other_sizes(data), USUAL_LATENT_DIMS[data]
    preset = f"{data}-svae-semantic"
    maps = (System("svae-semantic", "Split-VAE, maps that mean something", preset),) if preset in PRESETS else ()
    tables = (
        Table("Distances", DISTANCES, main),
        Table("The components of the split", COMPONENTS, ("svae",), "Components of different runs are exchangeable."),
        Table("What the distances hide: shares", SHARES, main, note="Shares of x̂; EX-POST by the mixture."),
        Table("Latent variables and reconstructions", LATENTS, main),
        Table(
            "The split and the time",
            ("seeds", "type", "map high", "map edges", "map ambiguity", "epochs", "minutes"),
            main,
            "Minutes depend on what else the machine did at the same time.",
        ),
        Table("Other latent dimensions", SIZES, tuple(key for own in ("svae", "vae") for key in (own, f"{own}-{dim}"))),
        *(
            Table(
                "Another resolution",
                SIZES,
                ("svae", s.key),
                "Features are of 32 pixels, to which those of 64 are shrunk; test images were enlarged before.",
                comparable=False,
            )
            for s in sizes
            if "shape" in s.settings
        ),
        *(Table("Maps that mean something", MAPS, ("svae", s.key)) for s in maps),
    )
    findings = (
        compare_order("GEN", "gen"),
        compare_order("EX-POST mixture", "ex_post"),
        compare_pair("svae", "vae", TWIN_COLUMNS),
        compare_random_component("svae"),
        *(compare_pair(s.key, "svae", TWIN_COLUMNS) for s in maps),
    )
    figures = _figures(private) + tuple(Figure(s.key, "components", "map, components and blend") for s in maps)
    measures = ("means",) if data == "mnist" else ("categories", "means")
    page = Page(title, introduction, tables, findings, figures, measures)
    return Experiment(data, systems + sizes + maps, page, epochs)


def _other_sizes(data: str) -> tuple[System, ...]:
    """Returns Split-VAEs and twins with the latent dimension that other papers use, and for CIFAR-10 of 64 pixels."""
    dim = USUAL_LATENT_DIMS[data]
    sizes = [
        System(f"{key}-{dim}", f"{TITLES[key]}, latent dimension {dim}", f"{data}-{key}", {"latent_dim": dim})
        for key in ("svae", "vae")
    ]
    if data == "cifar10":
        sizes.append(System("svae-64px", f"{TITLES['svae']}, 64 pixels", "cifar10-svae", {"shape": (3, 64, 64)}))
    return tuple(sizes)


def _samplers(key: str) -> tuple[str, ...]:
    """Returns the samplers of EX-POST of a system: a mixture, and the second stage of a two-stage VAE."""
    own = {"2svae": ("second-stage",), "2svae-balanced": ("second-stage-noiseless",)}
    return ("gmm", *own.get(key, ()))


def _figures(private: bool) -> tuple[Figure, ...]:
    """Returns the figures of a page."""
    pictures = [
        Figure("svae", "components", "samples of the prior: map, components and blend"),
        Figure("svae", "maps", "maps of samples"),
        Figure("svae", "samples", "samples of the prior"),
        Figure("svae", "samples-gmm", "samples of the fitted mixture"),
        Figure("svae", "distances", "distances of samples during the training"),
        Figure("vae", "samples-gmm", "samples of the fitted mixture"),
        Figure("2svae", "samples-gmm", "samples of the fitted mixture"),
        Figure("rae-l2", "samples-gmm", "samples of the fitted mixture"),
    ]
    shown = [Figure("svae", "reconstructions", "test images, their reconstructions and components")]
    return tuple(pictures + ([] if private else shown))

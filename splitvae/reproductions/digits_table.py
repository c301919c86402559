"""A small table that needs no download and takes minutes: systems of the paper on scikit-learn's digits, at 16 pixels."""

from __future__ import annotations

from ..models.latents import Deterministic
from ..objectives.rae import RAE
from ..objectives.variance import Learned
from .experiment import Experiment, Figure, Page, System, Table
from .findings import compare_pair

__all__ = ["digits_table"]

DISTANCES = ("K", "parameters", "seeds", "REC", "GEN", "GEN nearest", "EX-POST mixture", "EX-POST nearest", "mixture size")
SHARES = ("EX-POST precision", "EX-POST density", "EX-POST recall", "EX-POST coverage")
LATENTS = ("inactive by mean", "inactive by variance", "active", "MSE", "sharpness", "type", "minutes")


def digits_table() -> Experiment:
    """Returns the experiment."""
    systems = (
        System("svae", "Split-VAE", "digits-svae", seeds=3),
        System("svae-3", "Split-VAE, K = 3", "digits-svae", {"split": 3}, seeds=3),
        System("vae", "its unsplit twin", "digits-vae", seeds=3),
        System("2svae", "two-stage VAE, learned variance", "digits-vae", {"variance": Learned(v=0.05), "beta": 1}),
        System("rae-l2", "RAE-L2", "digits-vae", {"latent": Deterministic(), "loss": RAE(1e-4, "l2", 1e-7)}),
    )
    tables = (Table("Distances", DISTANCES), Table("Shares", SHARES), Table("Latent variables and images", LATENTS))
    columns = ("GEN", "EX-POST mixture", "MSE", "inactive by mean")
    figures = (
        Figure("svae", "components", "samples of the prior: map, components and blend"),
        Figure("svae-3", "components", "samples of the prior: maps, components and blend"),
        Figure("svae", "samples-gmm", "samples of the fitted mixture"),
    )
    introduction = (
        "The digits come with scikit-learn, 8 pixels wide, and are enlarged to 16. There are 1,618 images for training and "
        "179 to compare with, so that this table shows how the others are made, and little about the systems."
    )
    page = Page("Digits: a small table", introduction, tables, (compare_pair("svae", "vae", columns),), figures)
    return Experiment("digits", systems, page, epochs=40)

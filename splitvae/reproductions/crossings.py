"""Split models of other kinds, each beside its unsplit twin: a regularized autoencoder and an IntroVAE."""

from __future__ import annotations

from .experiment import Experiment, Figure, Page, System, Table
from .findings import compare_pair

__all__ = ["crossings"]

KINDS = {
    "rae": ("RAE-L2", "mnist-rae-l2"),
    "intro": ("IntroVAE", "mnist-intro"),
}
DISTANCES = ("K", "seeds", "REC", "GEN", "GEN nearest", "GEN mix", "EX-POST mixture", "EX-POST nearest", "EX-POST mix")
SHARES = ("GEN precision", "GEN recall", "EX-POST precision", "EX-POST recall")
COMPARED = ("REC", "GEN", "EX-POST mixture", "MSE", "inactive by mean")


def crossings(seeds: int, epochs: int) -> Experiment:
    """Returns the experiment.

    Arguments:
        seeds: The number of runs of each system.
        epochs: The largest number of epochs.
    """
    systems, pairs, figures = [], [], []
    for key, (title, preset) in KINDS.items():
        systems.append(System(f"split-{key}", f"split {title}", preset, {"split": 2}, seeds))
        systems.append(System(key, title, preset, {"split": 1}, seeds))
        pairs.append(compare_pair(f"split-{key}", key, COMPARED))
        figures.append(Figure(f"split-{key}", "components-reconstructed", "test images, map, components and blend"))
        figures.append(Figure(f"split-{key}", "components", "samples of the prior: map, components and blend"))
    tables = (
        Table("Distances", DISTANCES),
        Table("Shares", ("seeds", *SHARES)),
        Table("Codes and maps", ("MSE", "inactive by mean", "active", "sharpness", "type", "minutes")),
    )
    introduction = (
        "Any model can be split, by one integer. Each row of two differs in it alone, and all see each image as often. "
        "A regularized autoencoder has no prior: its GEN are decoded draws of N(0, I), for which it was not trained. The "
        "split Multi-Level VAE is on the page groups.md."
    )
    page = Page("Crossings: split models of other kinds on MNIST", introduction, tables, tuple(pairs), tuple(figures))
    return Experiment("crossings", tuple(systems), page, epochs)

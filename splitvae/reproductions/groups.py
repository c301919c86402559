"""The Multi-Level VAE at its best, with and without a split: on digits, and on faces grouped by their attributes."""

from __future__ import annotations

from .experiment import Experiment, Figure, Page, System, Table
from .findings import compare_pair, list_probe_notes

__all__ = ["groups", "groups_of_faces"]

CODES = (
    "seeds",
    "style",
    "independent style",
    "content",
    "content of 4",
    "content untrained",
    "single MSE",
    "content swapped",
    "style swapped",
)
SAMPLES = ("K", "seeds", "REC", "GEN", "EX-POST mixture", "GEN precision", "GEN recall", "MSE", "active", "type", "minutes")
COMPARED = ("style", "independent style", "content", "single MSE", "REC", "GEN", "EX-POST mixture")


def groups(seeds: int, epochs: int) -> Experiment:
    """Returns the experiment.

    Arguments:
        seeds: The number of runs of the convolutional model; the split one has one less, and the dense one has one.
        epochs: The largest number of epochs.
    """
    conv = "mnist-ml-vae-conv"
    systems = (
        System("conv", "convolutional", conv, seeds=seeds),
        System("split-conv", "convolutional, split", conv, {"split": 2}, max(1, seeds - 1)),
        System("dense", "dense", "mnist-ml-vae"),
    )
    swaps = "style of the image of the row, content of that of the column"
    independent = "reconstructions: independent style of that of the row, content of that of the column"
    figures = (
        Figure("conv", "swaps", swaps),
        Figure("conv", "swaps-independent", independent),
        Figure("conv", "swaps-evidence", "the same, with the content of all images of a digit in a batch"),
        Figure("split-conv", "swaps", swaps),
        Figure("split-conv", "components-reconstructed", "test images, map, components and blend"),
        Figure("split-conv", "components", "samples of the prior: map, components and blend"),
        Figure("dense", "swaps", swaps),
    )
    tables = (Table("What the codes tell of the digit", CODES), Table("Distances and codes", SAMPLES))
    introduction = (
        "Images of a group, here of a digit, share their content; the rest is style. A probe is a classifier of posterior "
        "means of test images: the content should tell the digit, the style should not (the most frequent digit: 11.3 %). "
        "The independent style is what an invertible flow leaves of the style when it takes the content out. "
        "Probes that were stopped before they had converged are named below. The MSE is that of the images that a network "
        "sees: 32x32 with a black border for the convolutional ones, 28x28 for the dense one, whose MSE would be 1.31 "
        "times smaller with that border."
    )
    findings = (compare_pair("split-conv", "conv", COMPARED), list_probe_notes)
    page = Page("Multi-Level VAE on MNIST", introduction, tables, findings, figures)
    return Experiment("groups", systems, page, epochs, probed=True)


def groups_of_faces(epochs: int) -> Experiment:
    """Returns the experiment on faces; no figure shows an image of the data.

    Arguments:
        epochs: The largest number of epochs.
    """
    preset = "celeba-ml-vae"
    systems = (System("faces", "Multi-Level VAE", preset), System("split-faces", "split", preset, {"split": 2}))
    swaps = "reconstructions; independent style of the row, content of the column"
    figures = (
        Figure("faces", "swaps-independent", swaps),
        Figure("faces", "content-interpolations", "one style as it is, with contents that lead to that of the next row"),
        Figure("split-faces", "swaps-independent", swaps),
        Figure("split-faces", "components", "samples of the prior: map, components and blend"),
    )
    introduction = (
        "Faces with the same attributes (bangs, eyeglasses, a smile, a beard) are a group. No weight keeps the attributes "
        "out of the style in training, and the decoder takes nearly everything from it: with another content and the same "
        "style a face stays as it is. Afterwards a flow takes the content out of the style; what is left is the "
        "independent style. A probe that learns nothing reaches the share of the most frequent group; compare the content "
        "with that of the untrained network."
    )
    tables = (Table("What the codes tell of the group", (*CODES, "majority")), Table("Distances and codes", SAMPLES))
    findings = (compare_pair("split-faces", "faces", COMPARED), list_probe_notes)
    page = Page("Multi-Level VAE on faces", introduction, tables, findings, figures)
    return Experiment("groups-faces", systems, page, epochs, probed=True)

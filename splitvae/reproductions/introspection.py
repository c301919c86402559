"""IntroVAE and Soft-IntroVAE beside the plain VAE of the same network, at as many images seen, on digits and on faces."""

from __future__ import annotations

from ..presets.registry import find_preset
from .experiment import Experiment, Figure, Page, System, Table
from .findings import compare_pair

__all__ = ["introspection", "introvae_readme"]

QUALITY = ("seeds", "GEN", "GEN precision", "GEN density", "GEN recall", "GEN coverage", "sharpness", "excess correlation")
FITTED = ("EX-POST mixture", "EX-POST precision", "EX-POST density", "EX-POST recall", "EX-POST coverage", "mixture size")
CODES = ("REC", "MSE", "KL", "inactive by mean", "active", "power", "epochs", "minutes")
PLAIN = {"alpha": 0.0, "alpha_decoder": 0.0, "vae_epochs": 0, "margin_ratio": 0.0}  # the step of the plain VAE, bit for bit
OTHER_BETAS = (8.0, 24.0)  # of plain VAEs, so that the beta of an introspective VAE is not held against the plain one
COMPARED = (*QUALITY[1:], "MSE")


def introspection(name: str, title: str, data: str, seeds: int, epochs: int, width: int) -> Experiment:
    """Returns the experiment of one data set.

    Arguments:
        name: The name of the experiment.
        title: The heading of its page.
        data: The data set, the first part of the names of its presets.
        seeds: The number of runs of each system; the plain VAEs of other betas have one.
        epochs: The largest number of epochs.
        width: The width of the networks.
    """
    preset = find_preset(f"{data}-intro").options()
    plain = {name: value for name, value in PLAIN.items() if preset[name]}  # an alpha_decoder of None is alpha
    systems = (
        System("vae", "plain VAE", f"{data}-intro", plain, seeds),
        System("intro", "IntroVAE", f"{data}-intro", seeds=seeds),
        System("soft", "Soft-IntroVAE", f"{data}-soft-intro", seeds=seeds),
        *(System(f"vae-{b:g}", f"plain VAE, beta {b:g}", f"{data}-intro", {**plain, "beta": b}) for b in OTHER_BETAS),
    )
    tables = (
        Table("Samples of the prior", QUALITY),
        Table("Samples of a fitted mixture", FITTED),
        Table("Reconstructions and codes", CODES),
    )
    figures = tuple(
        Figure(system.key, figure, caption)
        for system in systems[:3]
        for figure, caption in {
            "samples": "samples of the prior",
            "samples-gmm": "samples of the fitted mixture",
            "curves": "training curves",
        }.items()
    )
    introduction = (
        "An introspective VAE trains its encoder to tell samples from images, and its decoder to prevent that. The plain "
        "VAE is the same network with the same settings without that; beta is the weight of the reconstruction. "
        "Look at precision and density beside the distance, "
        "which alone does not say how many samples are like no image."
    )
    findings = (compare_pair("intro", "vae", COMPARED), compare_pair("soft", "vae", COMPARED))
    page = Page(title, introduction, tables, findings, figures)
    return Experiment(name, systems, page, epochs, width, {"preview_every": 0})


def introvae_readme() -> Experiment:
    """Returns the experiment on the two runs in the README of a public code, at 64 pixels."""
    systems = (
        System("low", "low beta, 0.05 at 256 pixels", "introvae-readme64-low"),
        System("high", "high beta, 0.75 at 256 pixels", "introvae-readme64-high"),
    )
    captions = {
        "plane": "the plane through the codes of three test images, which the README shows as generated",
        "samples": "samples of the prior",
        "curves": "training curves",
        "film.gif": "the same samples over the epochs",
    }
    figures = tuple(Figure(system.key, figure, caption) for system in systems for figure, caption in captions.items())
    introduction = (
        "The README of yukunchen113's public code shows two runs of an IntroVAE: with a low weight of the reconstruction "
        "images have texture without structure, with a high one they have structure. Here both have 64 pixels in place of "
        "256, and beta times 16, with which the terms of the loss have the same proportions. What the README shows are "
        "decoded codes of images, not samples of the prior."
    )
    tables = (Table("Samples of the prior", QUALITY), Table("Reconstructions and codes", CODES))
    page = Page("IntroVAE: the two runs of a README, at 64 pixels", introduction, tables, (), figures)
    settings = {"preview_every": 1, "on_alarm": "warn"}  # a training that fails is part of the finding
    return Experiment("introvae-readme", systems, page, epochs=20, width=8, settings=settings)

"""The papers whose methods a run uses, as BibTeX. To add one, add an entry to references.bib and a line here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from ..config import Config

__all__ = ["find_references"]

SPLIT = "asperti2022split"
DISTANCES = ("heusel2017gans", "binkowski2018demystifying", "naeem2020reliable")
OBJECTIVES = {
    "elbo": ("kingma2014auto",),
    "rae": ("ghosh2020from",),
    "intro": ("huang2018introvae",),
    "soft-intro": ("daniel2021soft",),
}
VARIANCES = {
    "computed": ("asperti2022split",),
    "ratchet": ("asperti2020balancing",),
    "learned": ("dai2019diagnosing",),
    "optimal": ("rybkin2021simple",),
}
LATENTS = {"grouped": ("bouchacourt2018multi",), "adaptive": ("locatello2020weakly",)}
SAMPLERS = {
    "gmm": ("ghosh2020from",),
    "second-stage": ("dai2019diagnosing",),
    "second-stage-noiseless": ("asperti2020balancing",),
    "flow": ("durkan2019neural",),
    "conditional-flow": ("durkan2019neural", "winkler2019learning"),
}


def find_references(config: Config, samplers: Iterable[str] = (), *, distances: bool = False) -> dict[str, str]:
    """Returns the BibTeX entries of the methods that a run uses, by their keys.

    Arguments:
        config: The settings of the run.
        samplers: The names of the samplers that were fitted.
        distances: Whether Fréchet and kernel distances, precision and recall were measured.
    """
    options = config.options()
    keys = [SPLIT] if config.model.split > 1 else []
    keys += OBJECTIVES.get(config.objective.name, ())
    keys += VARIANCES.get(options.get("variance", ""), ())
    keys += LATENTS.get(config.model.latent.name, ())
    keys += [key for name in samplers for key in SAMPLERS.get(name, ())]
    keys += DISTANCES if distances else ()
    entries = _entries()
    return {key: entries[key] for key in dict.fromkeys(keys)}


@cache
def _entries() -> dict[str, str]:
    """Returns all entries of references.bib by their keys."""
    text = files(__package__).joinpath("references.bib").read_text(encoding="utf-8")
    return {match[1]: match[0] for match in re.finditer(r"@\w+\{(\w+),.*?\n\}", text, re.DOTALL)}

"""The registry of objectives; to add one, write its settings in a file of this package and add them to this list."""

from __future__ import annotations

from ..utils.settings import Registry
from .base import Objective
from .elbo import ELBO
from .introvae import Intro
from .rae import RAE
from .soft_introvae import SoftIntro

__all__ = ["OBJECTIVES"]

OBJECTIVES: Registry[Objective] = Registry("loss", "loss", [ELBO, RAE, Intro, SoftIntro])

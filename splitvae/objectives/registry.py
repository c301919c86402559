"""The objectives by name; a new one is a line here."""

from __future__ import annotations

from ..utils.settings import Registry
from .base import Objective
from .elbo import ELBO
from .introvae import Intro
from .rae import RAE
from .soft_introvae import SoftIntro

__all__ = ["OBJECTIVES"]

OBJECTIVES: Registry[Objective] = Registry("loss", "loss", [ELBO, RAE, Intro, SoftIntro])

"""The registry of networks; to add one, write its settings in a file of this package and add them to this list."""

from __future__ import annotations

from ..utils.settings import Registry
from .base import Network
from .dense import Dense
from .introvae import IntroVAE, PlainIntroVAE
from .residual import Residual
from .strided import BetaVAE, InfoGAN, RegularizedAE
from .two_stage import TwoStage
from .upsampled import Upsampled

__all__ = ["NETWORKS"]

NETWORKS: Registry[Network] = Registry(
    "network", "net", [Residual, TwoStage, InfoGAN, RegularizedAE, BetaVAE, Dense, IntroVAE, PlainIntroVAE, Upsampled]
)

from . import (
    data as data,
    errors as errors,
    evaluation as evaluation,
    features as features,
    figures as figures,
    metrics as metrics,
    models as models,
    networks as networks,
    objectives as objectives,
    presets as presets,
    probes as probes,
    report as report,
    samplers as samplers,
    studies as studies,
    training as training,
)
from .config import Config as Config
from .data.images import Images as Images
from .data.geometry import resize as resize
from .data.sources import load as load
from .errors import UserError as UserError
from .models.codes import Codes as Codes
from .models.latents import (
    Adaptive as Adaptive,
    Deterministic as Deterministic,
    Gaussian as Gaussian,
    Grouped as Grouped,
)
from .models.split import Canvas as Canvas
from .models.vae import VAE as VAE
from .objectives.base import Objective as Objective
from .objectives.elbo import ELBO as ELBO
from .objectives.introvae import Intro as Intro
from .objectives.kl_weight import (
    Capacity as Capacity,
    Constant as Constant,
    Cyclical as Cyclical,
    WarmUp as WarmUp,
)
from .objectives.rae import RAE as RAE
from .objectives.soft_introvae import SoftIntro as SoftIntro
from .objectives.variance import (
    Computed as Computed,
    Fixed as Fixed,
    Learned as Learned,
    Optimal as Optimal,
    Ratchet as Ratchet,
)
from .presets.build import create as create
from .runs import Run as Run
from .samplers.base import Prior as Prior
from .samplers.flow import Flow as Flow
from .samplers.gaussian_mixture import GaussianMixture as GaussianMixture
from .samplers.second_stage import (
    NoiselessSecondStage as NoiselessSecondStage,
    SecondStage as SecondStage,
)
from .training.loop import train as train

__version__: str

from . import (
    data as data,
)
from . import (
    errors as errors,
)
from . import (
    evaluation as evaluation,
)
from . import (
    features as features,
)
from . import (
    figures as figures,
)
from . import (
    hub as hub,
)
from . import (
    metrics as metrics,
)
from . import (
    models as models,
)
from . import (
    networks as networks,
)
from . import (
    objectives as objectives,
)
from . import (
    presets as presets,
)
from . import (
    probes as probes,
)
from . import (
    report as report,
)
from . import (
    samplers as samplers,
)
from . import (
    studies as studies,
)
from . import (
    training as training,
)
from .config import Config as Config
from .data.convert import as_images as as_images
from .data.geometry import resize as resize
from .data.images import Images as Images
from .data.sources import load as load
from .errors import UserError as UserError
from .models.codes import Codes as Codes
from .models.latents import (
    Adaptive as Adaptive,
)
from .models.latents import (
    Deterministic as Deterministic,
)
from .models.latents import (
    Gaussian as Gaussian,
)
from .models.latents import (
    Grouped as Grouped,
)
from .models.split import Canvas as Canvas
from .models.vae import VAE as VAE
from .objectives.base import Objective as Objective
from .objectives.elbo import ELBO as ELBO
from .objectives.introvae import Intro as Intro
from .objectives.kl_weight import (
    Capacity as Capacity,
)
from .objectives.kl_weight import (
    Constant as Constant,
)
from .objectives.kl_weight import (
    Cyclical as Cyclical,
)
from .objectives.kl_weight import (
    WarmUp as WarmUp,
)
from .objectives.rae import RAE as RAE
from .objectives.soft_introvae import SoftIntro as SoftIntro
from .objectives.variance import (
    Computed as Computed,
)
from .objectives.variance import (
    Fixed as Fixed,
)
from .objectives.variance import (
    Learned as Learned,
)
from .objectives.variance import (
    Optimal as Optimal,
)
from .objectives.variance import (
    Ratchet as Ratchet,
)
from .presets.build import create as create
from .runs import Run as Run
from .runs import open_run as open_run
from .samplers.base import Prior as Prior
from .samplers.conditional_flow import ConditionalFlow as ConditionalFlow
from .samplers.flow import Flow as Flow
from .samplers.gaussian_mixture import GaussianMixture as GaussianMixture
from .samplers.second_stage import (
    NoiselessSecondStage as NoiselessSecondStage,
)
from .samplers.second_stage import (
    SecondStage as SecondStage,
)
from .training.loop import train as train

__version__: str

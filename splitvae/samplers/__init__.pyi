from .base import Prior as Prior
from .base import Sampler as Sampler
from .flow import Flow as Flow
from .gaussian_mixture import GaussianMixture as GaussianMixture
from .registry import SAMPLERS as SAMPLERS
from .registry import load_sampler as load_sampler
from .second_stage import NoiselessSecondStage as NoiselessSecondStage
from .second_stage import SecondStage as SecondStage

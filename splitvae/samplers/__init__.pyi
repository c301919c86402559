from .base import Prior as Prior, Sampler as Sampler, check_codes as check_codes
from .em import Mixture as Mixture, expectation_maximisation as expectation_maximisation, log_density as log_density
from .fit import check_positive as check_positive, fixed_seed as fixed_seed, train_density as train_density
from .flow import Flow as Flow
from .gaussian_mixture import GaussianMixture as GaussianMixture
from .registry import SAMPLERS as SAMPLERS, load_sampler as load_sampler
from .second_stage import NoiselessSecondStage as NoiselessSecondStage, SecondStage as SecondStage

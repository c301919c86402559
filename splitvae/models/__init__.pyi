from .codes import Codes as Codes, decode as decode, encode as encode
from .fusion import (
    EvidenceAccumulator as EvidenceAccumulator,
    FUSIONS as FUSIONS,
    check_fusion as check_fusion,
    fuse as fuse,
    fuse_all as fuse_all,
    subsample_members as subsample_members,
)
from .groups import Groups as Groups, as_groups as as_groups
from .latents import (
    Adaptive as Adaptive,
    AdaptiveHead as AdaptiveHead,
    Deterministic as Deterministic,
    DeterministicHead as DeterministicHead,
    Gaussian as Gaussian,
    GaussianHead as GaussianHead,
    Grouped as Grouped,
    GroupedHead as GroupedHead,
    LATENTS as LATENTS,
    Latent as Latent,
)
from .posteriors import (
    CONTENT_DRAWS as CONTENT_DRAWS,
    DiracPosterior as DiracPosterior,
    GaussianPosterior as GaussianPosterior,
    GroupedPosterior as GroupedPosterior,
    Posterior as Posterior,
)
from .split import (
    Canvas as Canvas,
    ambiguity as ambiguity,
    compose as compose,
    logit_channels as logit_channels,
    smoothness as smoothness,
)
from .vae import Model as Model, VAE as VAE

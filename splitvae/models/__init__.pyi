from .codes import Codes as Codes
from .codes import decode as decode
from .codes import encode as encode
from .fusion import (
    FUSIONS as FUSIONS,
)
from .fusion import (
    EvidenceAccumulator as EvidenceAccumulator,
)
from .fusion import (
    check_fusion as check_fusion,
)
from .fusion import (
    fuse as fuse,
)
from .fusion import (
    fuse_all as fuse_all,
)
from .fusion import (
    subsample_members as subsample_members,
)
from .groups import Groups as Groups
from .groups import as_groups as as_groups
from .latents import (
    LATENTS as LATENTS,
)
from .latents import (
    Adaptive as Adaptive,
)
from .latents import (
    AdaptiveHead as AdaptiveHead,
)
from .latents import (
    Deterministic as Deterministic,
)
from .latents import (
    DeterministicHead as DeterministicHead,
)
from .latents import (
    Gaussian as Gaussian,
)
from .latents import (
    GaussianHead as GaussianHead,
)
from .latents import (
    Grouped as Grouped,
)
from .latents import (
    GroupedHead as GroupedHead,
)
from .latents import (
    Latent as Latent,
)
from .posteriors import (
    CONTENT_DRAWS as CONTENT_DRAWS,
)
from .posteriors import (
    DiracPosterior as DiracPosterior,
)
from .posteriors import (
    GaussianPosterior as GaussianPosterior,
)
from .posteriors import (
    GroupedPosterior as GroupedPosterior,
)
from .posteriors import (
    Posterior as Posterior,
)
from .split import (
    Canvas as Canvas,
)
from .split import (
    ambiguity as ambiguity,
)
from .split import (
    compose as compose,
)
from .split import (
    logit_channels as logit_channels,
)
from .split import (
    smoothness as smoothness,
)
from .vae import VAE as VAE
from .vae import Model as Model

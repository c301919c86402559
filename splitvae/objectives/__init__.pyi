from .base import (
    Loss as Loss,
)
from .base import (
    Objective as Objective,
)
from .base import (
    PlayerLosses as PlayerLosses,
)
from .base import (
    kl_per_member as kl_per_member,
)
from .base import (
    kl_terms_for_log as kl_terms_for_log,
)
from .base import (
    squared_error as squared_error,
)
from .elbo import ELBO as ELBO
from .elbo import SCALINGS as SCALINGS
from .elbo import ELBOLoss as ELBOLoss
from .independence import dependence as dependence
from .independence import hsic as hsic
from .introspective import (
    ForwardPass as ForwardPass,
)
from .introspective import (
    Introspective as Introspective,
)
from .introspective import (
    IntrospectiveLoss as IntrospectiveLoss,
)
from .introspective import (
    Schedule as Schedule,
)
from .introspective import (
    check_weight as check_weight,
)
from .introspective import (
    evaluate_schedule as evaluate_schedule,
)
from .introspective import (
    frozen as frozen,
)
from .introvae import (
    HINGES as HINGES,
)
from .introvae import (
    Intro as Intro,
)
from .introvae import (
    IntroLoss as IntroLoss,
)
from .introvae import (
    from_official as from_official,
)
from .introvae import (
    from_yukunchen as from_yukunchen,
)
from .introvae import (
    hinge as hinge,
)
from .kl_weight import (
    KL_SCHEDULES as KL_SCHEDULES,
)
from .kl_weight import (
    Capacity as Capacity,
)
from .kl_weight import (
    Constant as Constant,
)
from .kl_weight import (
    Cyclical as Cyclical,
)
from .kl_weight import (
    KLSchedule as KLSchedule,
)
from .kl_weight import (
    WarmUp as WarmUp,
)
from .rae import PENALTIES as PENALTIES
from .rae import RAE as RAE
from .rae import RAELoss as RAELoss
from .rae import kernels as kernels
from .registry import OBJECTIVES as OBJECTIVES
from .soft_introvae import SoftIntro as SoftIntro
from .soft_introvae import SoftIntroLoss as SoftIntroLoss
from .variance import (
    VARIANCES as VARIANCES,
)
from .variance import (
    Computed as Computed,
)
from .variance import (
    ComputedVariance as ComputedVariance,
)
from .variance import (
    Fixed as Fixed,
)
from .variance import (
    FixedVariance as FixedVariance,
)
from .variance import (
    Learned as Learned,
)
from .variance import (
    LearnedVariance as LearnedVariance,
)
from .variance import (
    Optimal as Optimal,
)
from .variance import (
    OptimalVariance as OptimalVariance,
)
from .variance import (
    Ratchet as Ratchet,
)
from .variance import (
    RatchetVariance as RatchetVariance,
)
from .variance import (
    Variance as Variance,
)
from .variance import (
    VarianceModule as VarianceModule,
)
from .variance import (
    mean_over_processes as mean_over_processes,
)

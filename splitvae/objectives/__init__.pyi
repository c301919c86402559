from .base import (
    Loss as Loss,
    Objective as Objective,
    PlayerLosses as PlayerLosses,
    kl_per_member as kl_per_member,
    kl_terms_for_log as kl_terms_for_log,
    squared_error as squared_error,
)
from .elbo import ELBO as ELBO, ELBOLoss as ELBOLoss, SCALINGS as SCALINGS
from .independence import dependence as dependence, hsic as hsic
from .introspective import (
    ForwardPass as ForwardPass,
    Introspective as Introspective,
    IntrospectiveLoss as IntrospectiveLoss,
    Schedule as Schedule,
    check_weight as check_weight,
    evaluate_schedule as evaluate_schedule,
    frozen as frozen,
)
from .introvae import (
    HINGES as HINGES,
    Intro as Intro,
    IntroLoss as IntroLoss,
    from_official as from_official,
    from_yukunchen as from_yukunchen,
    hinge as hinge,
)
from .kl_weight import (
    Capacity as Capacity,
    Constant as Constant,
    Cyclical as Cyclical,
    KLSchedule as KLSchedule,
    KL_SCHEDULES as KL_SCHEDULES,
    WarmUp as WarmUp,
)
from .rae import PENALTIES as PENALTIES, RAE as RAE, RAELoss as RAELoss, kernels as kernels
from .registry import OBJECTIVES as OBJECTIVES
from .soft_introvae import SoftIntro as SoftIntro, SoftIntroLoss as SoftIntroLoss
from .variance import (
    Computed as Computed,
    ComputedVariance as ComputedVariance,
    Fixed as Fixed,
    FixedVariance as FixedVariance,
    Learned as Learned,
    LearnedVariance as LearnedVariance,
    Optimal as Optimal,
    OptimalVariance as OptimalVariance,
    Ratchet as Ratchet,
    RatchetVariance as RatchetVariance,
    VARIANCES as VARIANCES,
    Variance as Variance,
    VarianceModule as VarianceModule,
    mean_over_processes as mean_over_processes,
)

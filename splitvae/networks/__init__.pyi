from .base import EncoderDecoder as EncoderDecoder, Network as Network
from .dense import Dense as Dense, DenseDecoder as DenseDecoder, DenseEncoder as DenseEncoder
from .introvae import (
    INTROVAE_SIDES as INTROVAE_SIDES,
    IntroDecoder as IntroDecoder,
    IntroEncoder as IntroEncoder,
    IntroVAE as IntroVAE,
    PlainIntroVAE as PlainIntroVAE,
    intro_widths as intro_widths,
)
from .layers import (
    Down as Down,
    SIDES as SIDES,
    SamePadConv2d as SamePadConv2d,
    Up as Up,
    Upsample2x as Upsample2x,
    check_side as check_side,
    glorot_ as glorot_,
    recompute_batchnorm as recompute_batchnorm,
)
from .registry import NETWORKS as NETWORKS
from .residual import (
    MAX_WIDTH as MAX_WIDTH,
    Residual as Residual,
    ResidualBlock as ResidualBlock,
    ResidualDecoder as ResidualDecoder,
    ResidualEncoder as ResidualEncoder,
)
from .strided import (
    BetaVAE as BetaVAE,
    InfoGAN as InfoGAN,
    RegularizedAE as RegularizedAE,
    StridedDecoder as StridedDecoder,
    StridedEncoder as StridedEncoder,
)
from .two_stage import TwoStage as TwoStage, TwoStageDecoder as TwoStageDecoder, TwoStageEncoder as TwoStageEncoder

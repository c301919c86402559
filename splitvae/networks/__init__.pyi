from .base import EncoderDecoder as EncoderDecoder
from .base import Network as Network
from .dense import Dense as Dense
from .dense import DenseDecoder as DenseDecoder
from .dense import DenseEncoder as DenseEncoder
from .introvae import (
    INTROVAE_SIDES as INTROVAE_SIDES,
)
from .introvae import (
    IntroDecoder as IntroDecoder,
)
from .introvae import (
    IntroEncoder as IntroEncoder,
)
from .introvae import (
    IntroVAE as IntroVAE,
)
from .introvae import (
    PlainIntroVAE as PlainIntroVAE,
)
from .introvae import (
    intro_widths as intro_widths,
)
from .layers import (
    SIDES as SIDES,
)
from .layers import (
    Down as Down,
)
from .layers import (
    SamePadConv2d as SamePadConv2d,
)
from .layers import (
    Up as Up,
)
from .layers import (
    Upsample2x as Upsample2x,
)
from .layers import (
    check_side as check_side,
)
from .layers import (
    glorot_ as glorot_,
)
from .layers import (
    recompute_batchnorm as recompute_batchnorm,
)
from .registry import NETWORKS as NETWORKS
from .residual import (
    MAX_WIDTH as MAX_WIDTH,
)
from .residual import (
    Residual as Residual,
)
from .residual import (
    ResidualBlock as ResidualBlock,
)
from .residual import (
    ResidualDecoder as ResidualDecoder,
)
from .residual import (
    ResidualEncoder as ResidualEncoder,
)
from .strided import (
    BetaVAE as BetaVAE,
)
from .strided import (
    InfoGAN as InfoGAN,
)
from .strided import (
    RegularizedAE as RegularizedAE,
)
from .strided import (
    StridedDecoder as StridedDecoder,
)
from .strided import (
    StridedEncoder as StridedEncoder,
)
from .two_stage import TwoStage as TwoStage
from .two_stage import TwoStageDecoder as TwoStageDecoder
from .two_stage import TwoStageEncoder as TwoStageEncoder

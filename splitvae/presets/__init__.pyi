from .automatic import suggest_settings as suggest_settings
from .baselines import baseline_presets as baseline_presets
from .build import build_config as build_config
from .build import build_vae as build_vae
from .build import create as create
from .introvae import introvae_presets as introvae_presets
from .registry import PRESETS as PRESETS
from .registry import find_preset as find_preset

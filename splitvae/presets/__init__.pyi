from .automatic import suggest_settings as suggest_settings
from .baselines import baseline_presets as baseline_presets
from .build import build_config as build_config, build_vae as build_vae, create as create
from .introvae import introvae_presets as introvae_presets
from .registry import PRESETS as PRESETS, find_preset as find_preset

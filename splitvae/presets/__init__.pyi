from .automatic import suggest_settings as suggest_settings
from .build import build_config as build_config
from .build import build_vae as build_vae
from .build import create as create
from .registry import PRESETS as PRESETS
from .registry import find_preset as find_preset

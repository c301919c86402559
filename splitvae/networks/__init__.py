"""Networks: settings that build the encoders and decoders of a VAE.

`NETWORKS` are those that have a name; to add one, see networks/registry.py.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Models: the VAE, its latents, the split of what it generates, and the fusion of a group's evidence.

`LATENTS` and `FUSIONS` are the choices that have a name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

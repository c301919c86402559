"""Samplers: densities that are fitted to the codes of a model, and from which new latents are drawn.

`SAMPLERS` are those that have a name; to add one, see samplers/registry.py.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

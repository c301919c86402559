"""Metrics: numbers computed from latents, from maps, or from the features of two sets of images.

`METRICS` are those that `splitvae evaluate` computes from a model and its test images; to add one, see metrics/registry.py.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

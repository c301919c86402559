"""Evaluation of runs: metrics and distances on test images, written to evaluation.json and printed as tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

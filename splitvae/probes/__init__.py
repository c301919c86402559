"""Probes: classifiers that measure which labels can be predicted from the codes of a run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

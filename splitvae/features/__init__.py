"""Extractors: networks that turn images into the features in which distances between sets of images are measured."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Experiments of the paper made again: from one command to a file of numbers, a page and its figures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

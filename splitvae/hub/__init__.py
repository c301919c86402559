"""The hub: a run or a model as a repository that others read, with a model card that is written from the run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Objectives: settings that build the losses which training minimises, and what they are composed of.

`OBJECTIVES`, `VARIANCES` and `KL_SCHEDULES` are the choices that have a name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

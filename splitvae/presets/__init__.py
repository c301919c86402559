"""Presets: whole configurations by name, and functions that build models from them.

`PRESETS` are those of the paper's systems and of the systems that these are compared with.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

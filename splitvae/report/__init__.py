"""Reports: one self-contained HTML page about a run, or one that compares several."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Figures of models, trainings and data, as matplotlib `Figure`s or PNG files.

Functions called draw_* show images pixel by pixel; functions called plot_* are charts of numbers.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""A page in the browser on which the latents of runs are moved by hand, and pictures are encoded, blended and swapped.

All computing is in plain functions; page.py alone knows gradio, the library of the page.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

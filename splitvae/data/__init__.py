"""Images from any source as one uint8 tensor with labels: names, folders, files, arrays, the Hugging Face hub."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

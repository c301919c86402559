"""Models for other programs: ONNX files, torch.export files, and a page that runs a decoder in the browser."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

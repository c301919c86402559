"""Training: the loop over epochs, checkpoints from which it resumes exactly, and alarms that stop a collapse."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

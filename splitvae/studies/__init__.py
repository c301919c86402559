"""Experiments over several runs (grids, seeds, the Multi-Level VAE), and measurements of data sets without a model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Variational autoencoders that can be split: decode several images and the maps that blend them.

import splitvae
images = splitvae.load("mnist")
run = splitvae.train("mnist-svae", images, epochs=10)
canvas = run.vae.sample(64)  # canvas.image, canvas.images, canvas.masks
"""

import lazy_loader

# Names are imported when first asked for: `splitvae --help` need not wait for torch. What they are stands in __init__.pyi.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"

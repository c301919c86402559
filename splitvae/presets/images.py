"""The images of a configuration: read from its source, and brought to the shape of its model."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..config import Config
from ..data.geometry import describe_geometry, resize
from ..data.images import Images
from ..data.sources import load
from ..errors import UserError, setting
from ..utils.text import count_noun

__all__ = ["load_for_config", "match_config"]


def load_for_config(config: Config, part: str) -> Images:
    """Returns a part of the images of a configuration, padded and resized to its shape.

    Arguments:
        config: The configuration, whose `data.source` is not None.
        part: The part, such as "train" or "test"; see `splitvae.load`.
    """
    data, shape = config.data, config.model.shape
    assert data.source is not None
    side = channels = None
    if shape is not None:
        side = shape[1] - 2 * data.pad
        # Training images must have the channels of the network, but a test part may be gray where they have colours.
        channels = None if part == "train" else shape[0]
    images = load(data.source, part, side=side, crop=data.crop, channels=channels)
    return match_config(images, config)


def match_config(images: Images, config: Config) -> Images:
    """Returns images padded and resized to the shape of a configuration.

    Arguments:
        images: The images.
        config: The configuration; if it has no shape, images are returned as they are.

    Raises:
        UserError: For gray images where the configuration has colours, or colours where it is gray.
    """
    shape, pad = config.model.shape, config.data.pad
    if shape is None:
        return images
    if images.shape[0] != shape[0]:
        kinds = {1: "gray", 3: "colour"}
        network = config.preset or "the network"
        raise UserError(
            f"{images.source} holds {kinds[images.shape[0]]} images ({count_noun(images.shape[0], 'channel')}), but "
            f"{network} generates {kinds.get(shape[0], 'other')} images ({count_noun(shape[0], 'channel')}); type "
            f"{setting('shape', (images.shape[0], *shape[1:]))} to build the network for them."
        )
    channels, side, _ = shape
    inner = side - 2 * pad
    sizes = np.array([images.shape[:0:-1]]).repeat(len(images), 0)
    notes = (*images.notes, *describe_geometry(sizes, inner, None))
    return dataclasses.replace(
        images, pixels=resize(resize(images.pixels, (channels, inner, inner)), shape, pad), notes=notes
    )

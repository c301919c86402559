"""Labels of images as classes, attributes or groups, with an explanation where there are none."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import UserError, nearest, setting
from .images import Images

__all__ = ["get_group_labels", "get_labels"]


def get_labels(images: Images) -> Tensor:
    """Returns the labels of images: classes (N,) or binary attributes (N, A).

    Raises:
        UserError: If the images have no labels.
    """
    if images.labels is None:
        raise UserError(
            f"{images.source} has no labels; categories need a folder with a subfolder for each class or a metadata.csv, "
            "an .npz with the array 'labels', or a table with a column 'label'."
        )
    return images.labels


def get_group_labels(images: Images, attributes: str = "") -> Tensor:
    """Returns the number of each image's group, int64 with shape (N,).

    Arguments:
        images: The images. Those of one class are a group.
        attributes: The attributes that make groups where the labels are attributes, such as "Male" or "Male,Smiling":
            images that agree in all of them are a group.

    Raises:
        UserError: If the images have no labels, or have attributes and no known one is named.
    """
    labels, source = images.labels, images.source
    if labels is None:
        raise UserError(
            f"{source} has no labels, and a grouped latent must know which images share their content. Give a folder with "
            "one subfolder a group or a metadata.csv, an .npz file with `images` and `labels`, or splitvae.Images with "
            f"labels; or train without groups: {setting('latent', 'gaussian')}."
        )
    if labels.ndim == 1:
        if attributes:
            raise UserError(
                f"{source} has one class an image and no attributes to group by; leave out {setting('group_by')}."
            )
        return labels
    if not attributes:
        examples = ", ".join(images.classes[:6])
        raise UserError(
            f"{source} has {labels.shape[1]} attributes ({examples} ...); say which of them make groups: "
            f"{setting('group_by', 'NAME')}."
        )
    columns = []
    for name in attributes.split(","):
        if name not in images.classes:
            raise UserError(f"{source} has no attribute {name!r}; {nearest(name, images.classes)}")
        columns.append(images.classes.index(name))
    # The values are the digits of a binary number, the first attribute first: groups have one number in all parts.
    return (labels[:, columns] != 0).long() @ 2 ** torch.arange(len(columns)).flip(0)

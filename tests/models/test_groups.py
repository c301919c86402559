"""Groups of a batch, and labels of images as groups."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

import splitvae
from splitvae.data.labels import get_group_labels
from splitvae.errors import UserError
from splitvae.models.groups import Groups, as_groups

CPU = torch.device("cpu")


def images(labels: torch.Tensor | None, classes: tuple[str, ...] = ()) -> splitvae.Images:
    count = 12 if labels is None else len(labels)
    return splitvae.Images(torch.zeros(count, 1, 4, 4, dtype=torch.uint8), labels, classes, "faces", "train", ())


def test_any_integers_name_groups() -> None:
    groups = as_groups(torch.tensor([40, -7, 40, 3]), 4, CPU)
    assert groups.total == 3
    assert groups.sizes.tolist() == [1, 1, 2]
    assert groups.member_of.tolist() == [2, 0, 2, 1]
    assert groups.members == 0
    assert as_groups(torch.tensor([5, 1, 1, 5]), 4, CPU).members == 2
    single = as_groups(None, 3, CPU)
    assert (single.total, single.member_of.tolist()) == (3, [0, 1, 2])


def test_groups_of_another_number_than_images_are_refused() -> None:
    with pytest.raises(UserError, match="4 images"):
        as_groups(torch.arange(3), 4, CPU)
    with pytest.raises(UserError, match="4 images"):
        as_groups(Groups(torch.arange(3), 3), 4, CPU)
    with pytest.raises(UserError, match="integers"):
        as_groups(torch.rand(4), 4, CPU)


def test_labels_of_images_are_their_groups() -> None:
    labels = torch.tensor([3, 1, 3])
    assert get_group_labels(images(labels)) is labels
    with pytest.raises(UserError, match=r"no labels.*subfolder.*latent='gaussian'"):
        get_group_labels(images(None))
    with pytest.raises(UserError, match="labels of 3 Images are a tensor with one row for each, and not 2"):
        dataclasses.replace(images(labels), labels=labels[:2])
    with pytest.raises(UserError, match="`group_by`"):
        get_group_labels(images(labels), "Male")


def test_attributes_make_groups_by_name() -> None:
    attributes = torch.tensor([[0, 1], [1, 1], [0, 0], [0, 1]])
    faces = images(attributes, ("Male", "Smiling"))
    assert get_group_labels(faces, "Male").tolist() == [0, 1, 0, 0]
    assert get_group_labels(faces, "Male,Smiling").tolist() == [1, 3, 0, 1]
    part = dataclasses.replace(faces, labels=attributes[:2], pixels=faces.pixels[:2])
    assert get_group_labels(part, "Male,Smiling").tolist() == [1, 3]  # also in a part without the other combinations
    with pytest.raises(UserError, match="group_by='NAME'"):
        get_group_labels(faces)
    with pytest.raises(UserError, match="Smiling"):
        get_group_labels(faces, "Smilin")


@pytest.mark.parametrize("labels", [[3, 3, 8], np.array([3, 3, 8]), (3, 3, 8)])
def test_groups_are_given_as_an_array_or_a_list_too(labels: Any) -> None:
    assert as_groups(labels, 3, torch.device("cpu")).member_of.tolist() == [0, 0, 1]
    with pytest.raises(UserError, match=r"groups must be integers, .* numbers names"):
        as_groups(["cat", "cat", "dog"], 3, torch.device("cpu"))  # type: ignore[list-item]  # a mistake

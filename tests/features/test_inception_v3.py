"""Tests of the Inception network against the same network written out in numpy, on random weights."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from splitvae.features.inception_v3 import InceptionV3


def distance(values: Tensor, expected: Any) -> float:
    """The largest difference, relative to the largest expected number."""
    expected = torch.as_tensor(expected)
    return float((values - expected).abs().max() / expected.abs().max())


def test_the_layout_is_the_published_one(drawn_inception: Any) -> None:
    assert len(drawn_inception.state) == 472 and sum(v.numel() for v in drawn_inception.state.values()) == 23_885_392
    stem = dict.fromkeys(("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"), 5)
    blocks = dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), 35) | {"Mixed_6a": 20}
    blocks |= dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), 50) | {"Mixed_7a": 30}
    blocks |= dict.fromkeys(("Mixed_7b", "Mixed_7c"), 45)
    assert Counter(name.split(".")[0] for name in drawn_inception.state) == stem | blocks | {"fc": 2}
    network = InceptionV3()
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in drawn_inception.state.items()}
    assert sum(p.numel() for p in network.parameters()) == 23_850_960
    assert sum(v.numel() for k, v in network.state_dict().items() if k.endswith(".bn.bias")) == 17_216
    assert sum(v.numel() for v in InceptionV3("avg", scale=False, classes=0).state_dict().values()) == 21_802_784


@pytest.mark.parametrize("pool", ["max", "avg"])
def test_the_network_agrees_with_one_written_out_in_numpy(drawn_inception: Any, pool: Any) -> None:
    network = InceptionV3(pool)
    network.load_state_dict(drawn_inception.state)
    with torch.no_grad():
        features = network.double()(torch.from_numpy(drawn_inception.image)[None])
    assert features.shape == (1, 2048)
    assert distance(features[0], drawn_inception.features[pool]) < 1e-12  # float64
    assert distance(features[0], drawn_inception.features["avg" if pool == "max" else "max"]) > 1e-2


def test_the_two_versions_differ_in_the_last_pool_and_the_scale_alone(drawn_inception: Any) -> None:
    network = InceptionV3("avg", scale=False, classes=0)
    network.load_state_dict(drawn_inception.without_scale())
    with torch.no_grad():
        features = network.double()(torch.from_numpy(drawn_inception.image)[None])
    assert distance(features[0], drawn_inception.features["avg"]) < 1e-5  # scales are rounded into float32 kernels


@pytest.mark.parametrize(
    ("block", "layers"),
    [
        ("Mixed_5b", "branch3x3dbl_1 branch5x5_1 branch3x3dbl_2 branch1x1 branch5x5_2 branch3x3dbl_3 branch_pool"),
        ("Mixed_6a", "branch3x3dbl_1 branch3x3dbl_2 branch3x3 branch3x3dbl_3"),
        (
            "Mixed_6b",
            "branch7x7dbl_1 branch7x7dbl_2 branch7x7_1 branch7x7dbl_3 branch7x7_2 branch7x7dbl_4 "
            "branch1x1 branch7x7_3 branch7x7dbl_5 branch_pool",
        ),
        ("Mixed_7a", "branch7x7x3_1 branch7x7x3_2 branch3x3_1 branch7x7x3_3 branch3x3_2 branch7x7x3_4"),
        (
            "Mixed_7c",
            "branch3x3dbl_1 branch3x3_1 branch3x3dbl_2 "
            "branch3x3_2a branch3x3_2b branch3x3dbl_3a branch3x3dbl_3b branch1x1 branch_pool",
        ),
    ],
)
def test_layers_are_listed_by_their_distance_from_the_output(block: str, layers: str) -> None:
    with torch.device("meta"):
        order = list(InceptionV3().layers_by_depth())
    assert len(order) == len(set(order)) == 94
    assert [name.partition(".")[2] for name in order if name.startswith(f"{block}.")] == layers.split()

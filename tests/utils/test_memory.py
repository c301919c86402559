"""Tests of the measured need of a forward pass, and of the batches that follow from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from splitvae.utils import memory
from splitvae.utils.memory import images_per_batch, live_bytes

MIB = 1 << 20


def test_tensors_are_counted_while_they_live() -> None:
    x = torch.zeros(MIB // 4)

    def run() -> Tensor:
        y = x + 1  # one MiB
        z = torch.cat((y, y))  # three
        del y  # two
        return z.view(2, -1).t() * 2  # four: views are nothing new

    history = live_bytes(run)
    assert max(history) == 4 * MIB and MIB in history and 3 * MIB in history
    assert max(live_bytes(lambda: x.view(2, -1).t().add_(1))) == 0  # nor is what was there before


class Wide(nn.Module):
    """A module whose need for an image (1, 1, 1) of four bytes is known: two results, of which the second is kept."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * 2  # a tensor of weights alone is the same for any number of images
        return (x.flatten(1) + weight).exp().sum(1)


def test_a_batch_fills_the_budget_of_what_grows_with_it() -> None:
    need = 2 * 4 * 1000 + 4  # two rows of 1,000 floats at a time, and the image
    module = Wide(1000)
    assert images_per_batch(module, (1, 1, 1), 500, budget=need * 60) == 60
    assert images_per_batch(module, (1, 1, 1), 500, budget=need * 60 - 1) == 59
    assert images_per_batch(module, (1, 1, 1), 500, budget=100) == 1
    assert images_per_batch(module, (1, 1, 1), 500) == 500


def test_it_is_measured_once_for_each_module_or_key() -> None:
    calls = list[int]()

    def run(x: Tensor) -> Tensor:
        calls.append(len(x))
        return x + 1

    first, second = Wide(1), Wide(1)
    for module in (first, first, second):
        images_per_batch(module, (1, 2, 2), 500, run)
    assert calls == [2, 3, 2, 3]
    for module in (first, second):
        images_per_batch(module, (1, 2, 2), 500, run, "the same")
    assert calls == [2, 3, 2, 3, 2, 3]
    memory._BYTES_OF_KEY.pop("the same")


def test_measuring_leaves_the_module_and_random_numbers_alone() -> None:
    module = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(), nn.ReLU())
    module[1].eval()
    before, state = torch.get_rng_state(), {name: value.clone() for name, value in module.state_dict().items()}
    images_per_batch(module, (1, 4, 4), 500)
    assert [part.training for part in module] == [True, False, True] and torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())

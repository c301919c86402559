"""One seed, no network, as many threads as OMP_NUM_THREADS says: what every test starts from."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import torch

from splitvae.networks.base import Network
from splitvae.networks.registry import NETWORKS
from splitvae.utils.settings import fields_of_settings

os.environ["HF_HUB_OFFLINE"] = "1"
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))  # one, beside other work


@pytest.fixture(scope="session")
def sized() -> Callable[..., Network]:
    """A function that returns a network by name, with those of the given sizes that it has."""

    def make(name: str, **sizes: int) -> Network:
        known = {field.name for field in fields_of_settings(NETWORKS[name])}
        return NETWORKS[name](**{key: value for key, value in sizes.items() if key in known})

    return make


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)

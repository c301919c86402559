"""One seed, no network, as many threads as OMP_NUM_THREADS says: what every test starts from."""

from __future__ import annotations

import os

import pytest
import torch

os.environ["HF_HUB_OFFLINE"] = "1"
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))  # one, beside other work


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)

"""What one training step asks of a device: the operations that it launches, and that none waits for a result."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import splitvae
from splitvae import presets
from splitvae.training.trainer import Trainer

# Operations for whose result the host waits for an accelerator: values are read, or a shape depends on them.
WAITING = {
    "_local_scalar_dense",
    "is_nonzero",
    "item",
    "nonzero",
    "equal",
    "masked_select",
    "_unique2",
    "unique_consecutive",
}
# Operations that give another view of a tensor, or only its memory, and so launch nothing.
VIEWS = {
    *("view", "t", "transpose", "permute", "unsqueeze", "squeeze", "expand", "slice", "select", "split", "as_strided"),
    *("split_with_sizes", "detach", "alias", "_unsafe_view", "_reshape_alias", "unbind", "unfold", "diagonal"),
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize_", "set_"),
}


class Operations(TorchDispatchMode):
    """Counts the operations below autograd, and those with a mask as index, whose shape depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        indices = args[1] if name == "index" else []
        masked = any(isinstance(i, torch.Tensor) and i.dtype in (torch.bool, torch.uint8) for i in indices)
        self.counts["nonzero" if masked else name] += 1
        return func(*args, **(kwargs or {}))

    @property
    def launches(self) -> int:
        return sum(count for name, count in self.counts.items() if name not in VIEWS)


def operations_of_a_step(preset: str, images: splitvae.Images, **options: Any) -> Operations:
    """Returns the operations of the third step of a training, and of its batch if that is not grouped on the host."""
    config = presets.find_preset(preset, precision="32", validation=0, **options)
    trainer = Trainer(presets.build_vae(config), config.objective, images, config)
    batches = trainer.batches()
    for _ in range(2):
        trainer.train_step(*next(batches))
    grouped = next(batches) if trainer.vae.uses_groups else None
    with Operations() as operations:
        trainer.train_step(*(grouped or next(batches)))
    return operations


@pytest.mark.parametrize(
    ("preset", "options", "most"),
    [
        ("digits-svae", {"width": 4, "embedding": 16}, 280),
        ("digits-svae", {"width": 4, "embedding": 16, "mirror": True, "ema": 0.99}, 290),
        ("digits-vae", {"width": 4, "embedding": 16, "loss": "intro", "alpha": 0.25, "beta": 5.0, "margin": 20.0}, 1000),
        ("digits-vae", {"net": "mlp", "embedding": 16, "latent": "grouped", "latent_dim": 4, "content_dim": 2}, 270),
    ],
    ids=["split", "mirror-average", "intro", "grouped"],
)
def test_a_step_waits_for_no_result_and_launches_few_kernels(preset: str, options: dict[str, Any], most: int) -> None:
    images = splitvae.load("digits", side=16)
    operations = operations_of_a_step(preset, images, **options)
    assert not WAITING & operations.counts.keys()
    assert 0 < operations.launches <= most, operations.launches


def test_the_number_of_launches_does_not_grow_with_width_or_batch() -> None:
    images = splitvae.load("digits", side=16)
    few = operations_of_a_step("digits-svae", images, width=4, embedding=16, batch_size=20)
    many = operations_of_a_step("digits-svae", images, width=8, embedding=32, batch_size=80)
    assert few.launches == many.launches

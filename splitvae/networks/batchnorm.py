"""TODO docstring of networks.batchnorm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim.swa_utils import update_bn

__all__ = ["refresh_statistics"]


def refresh_statistics(model: nn.Module, batches: Iterable[dict[str, Any]]) -> None:
    """Recomputes BatchNorm's running statistics as those of batches, each the arguments of a forward pass."""
    update_bn(batches, _Forward(model))


class _Forward(nn.Module):
    """A model that is called with a dict, as `update_bn` passes it on whole."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Any]) -> Any:
        return self.model(**batch)

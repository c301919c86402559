"""Decoders as files of torch.export (.pt2): the graph and the weights, which PyTorch reads without splitvae."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from ..models.vae import VAE
from ..utils.files import atomic_write
from .modules import DecoderModule, check_suffix, quiet, trace

__all__ = ["export_torch"]


def export_torch(vae: VAE, path: Path) -> str:
    """Writes the decoder to a file that `torch.export.load(path).module()` reads, and returns a line about it.

    Weights are written as raw bytes and the graph as JSON. The example with which the graph was traced, the one part that
    torch.export would write as a pickle, is left out.

    Arguments:
        vae: The model; the decoder's inputs and outputs are those of export/modules.py.
        path: The file, whose suffix is .pt2.

    Raises:
        UserError: If the decoder cannot be exported.
    """
    check_suffix(path, ".pt2")
    module = DecoderModule(vae)
    program = trace(module)
    program._example_inputs = None
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer)
    with torch.no_grad():
        z = module.example(5, seed=1)
        loaded = torch.export.load(io.BytesIO(buffer.getvalue())).module()(z)
        difference = max(float((a - b).abs().max()) for a, b in zip(loaded, module(z), strict=True))
    with atomic_write(path) as draft:
        draft.write_bytes(buffer.getvalue())
    flow = f"{', '.join(module.inputs)} -> {', '.join(module.outputs)}"
    return f"{path}: {flow}; {len(buffer.getvalue()) / 1e6:.1f} MB; at most {difference:.1e} from PyTorch"

"""Stores a tiny run of this release in tests/fixtures/release-VERSION, which every later version must be able to read.

    python scripts/store_release.py

It holds the run without its checkpoint, and outputs.safetensors: what the model computes of fixed inputs. Run it once for
each release, before the version is raised; tests/test_releases.py reads all of them.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

import splitvae

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures"
SIZES = {"width": 4, "scales": 2, "embedding": 16, "latent_dim": 4}
KEPT = ("config.json", "history.jsonl", "model")


def fixed_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Returns images (3, 1, 16, 16) in [0, 1] and latents (3, 4) that are the same everywhere."""
    steps = torch.arange(3 * 256)
    return (steps * 37 % 256).reshape(3, 1, 16, 16) / 255, (torch.arange(12) * 5 % 13 - 6).reshape(3, 4) / 3


@torch.no_grad()
def compute_outputs(vae: splitvae.VAE) -> dict[str, torch.Tensor]:
    """Returns what a model computes of the fixed inputs."""
    x, z = fixed_inputs()
    posterior, canvas = vae.cpu().encode(x), vae.decode(z)
    assert posterior.logvar is not None
    return {"mean": posterior.mean, "logvar": posterior.logvar, "images": canvas.images, "masks": canvas.masks}


def main() -> None:
    """Trains the run and stores it."""
    target = FIXTURES / f"release-{splitvae.__version__}"
    with tempfile.TemporaryDirectory() as folder:
        settings = {"epochs": 2, "preview_every": 0, "precision": "32", **SIZES}
        run = splitvae.train("digits-svae", out=Path(folder) / "run", progress=False, **settings)
        target.mkdir(parents=True)
        for name in KEPT:
            copy = shutil.copytree if (run.path / name).is_dir() else shutil.copy
            copy(run.path / name, target / name)
        outputs = {name: value.contiguous() for name, value in compute_outputs(run.vae).items()}
    save_file(outputs, target / "outputs.safetensors")
    print(f"{target}: {sum(file.stat().st_size for file in target.rglob('*') if file.is_file()):,} bytes")


if __name__ == "__main__":
    main()

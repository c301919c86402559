"""The sampler of a run: fitted once to given codes, and kept in the folder of the run.

    samplers/gmm-clean            fitted to the images of the run's training (for `authors`: to its test images)
    samplers/gmm-clean-0a1b2c3d   fitted to other codes, with the first digits of their hash

A saved sampler is read again only if the model, the settings of the sampler, the images or codes, and the layout of its
tensors are the same; the file sampler.json holds them, or the hash of each.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from ..data.images import Images
from ..models.codes import Codes, encode
from ..runs import Run
from ..samplers.base import Prior, Sampler
from ..samplers.registry import SAMPLERS, load_sampler
from ..utils.console import Progress
from ..utils.files import read_json
from .protocols import AUTHORS_CODES, Protocol, configure_sampler, find_protocol

__all__ = ["find_fitted_sampler", "list_fitted_samplers", "sampler_for"]


def sampler_for(
    run: Run,
    sampler: str | Sampler = "prior",
    protocol: str | Protocol = "clean",
    codes: Codes | None = None,
    progress: Progress | None = None,
) -> Sampler:
    """Reads a sampler of a run if it was fitted to the same codes with the same settings, else fits it and writes it.

    Arguments:
        run: The run. Its model must not change meanwhile.
        sampler: A name of `SAMPLERS`, with the settings of the protocol, or an unfitted sampler.
        protocol: One of `PROTOCOLS`, which says what the sampler is fitted to.
        codes: Other codes to fit to.
        progress: Called with (epoch, epochs) while a sampler is trained.

    Raises:
        UserError: If the name or the protocol is unknown, if files are damaged, or if the codes are too few or not finite.
    """
    protocol = find_protocol(protocol)
    if isinstance(sampler, str):
        sampler = configure_sampler(run, sampler, protocol)
    if isinstance(sampler, Prior):
        return sampler.fit(Codes(torch.zeros(1, run.vae.latent_dim), None))
    origin, is_own = _describe_codes(run, protocol) if codes is None else (_hash_codes(codes), False)
    folder = run.path / "samplers" / f"{sampler.name}-{protocol.name}{'' if is_own else f'-{origin[:8]}'}"
    wanted = {"model": run.vae.fingerprint(), "parameters": sampler.parameters, "fitted_to": origin}
    if (folder / "sampler.json").exists():
        saved: Any = read_json(folder / "sampler.json")
        if _has_layout(saved, sampler) and all(saved.get(key) == value for key, value in wanted.items()):
            return load_sampler(folder)
    codes = codes if codes is not None else _encode(run, protocol)
    fitted = sampler.fit(codes, progress)
    fitted.save(folder, model=wanted["model"], fitted_to=origin, codes=len(codes.mean))
    return fitted


def find_fitted_sampler(run: Run, name: str, protocol: str = "clean") -> Sampler | None:
    """Reads the sampler of a run that was fitted to its own codes; None if there is none of its present model.

    Arguments:
        run: The run.
        name: The name of the sampler.
        protocol: The name of the protocol.

    Raises:
        UserError: For damaged files.
    """
    folder = run.path / "samplers" / f"{name}-{protocol}"
    return load_sampler(folder) if (folder / "sampler.json").exists() and _is_present(folder, run) else None


def list_fitted_samplers(run: Run) -> list[str]:
    """Returns the names of the folders of all saved samplers that were fitted to the run's present model."""
    folders = (file.parent for file in run.path.glob("samplers/*/sampler.json"))
    return sorted(folder.name for folder in folders if _is_present(folder, run))


def _is_present(folder: Path, run: Run) -> bool:
    """Returns whether a saved sampler is one of this version, and of the run's present model."""
    saved: Any = read_json(folder / "sampler.json")
    known = SAMPLERS.get(saved.get("sampler", "")) if isinstance(saved, dict) else None
    return known is not None and _has_layout(saved, known) and saved.get("model") == run.vae.fingerprint()


def _has_layout(saved: Any, sampler: Sampler | type[Sampler]) -> bool:
    """Returns whether the content of a file sampler.json is that of a sampler with the layout of this version."""
    return isinstance(saved, dict) and saved.get("layout", 1) == sampler.layout


def _encode(run: Run, protocol: Protocol) -> Codes:
    """Returns the codes that a protocol fits to."""
    if not protocol.follows_code:
        return run.codes("train")
    test = run.images("test")
    first = Images(test.pixels[:AUTHORS_CODES], None, (), test.source, test.part, ())
    return encode(run.vae.eval(), first)


def _describe_codes(run: Run, protocol: Protocol) -> tuple[str, bool]:
    """Returns the hash of the images whose codes a protocol fits to, and whether they are the run's own.

    Training images that are not in memory are the run's own: they need not be read if the run knows their hash.
    """
    if protocol.follows_code:
        return hashlib.sha256(f"{run.images('test').sha256} {AUTHORS_CODES}".encode()).hexdigest()[:16], True
    own = run.training_sha256
    if own and "train" not in run.images_in_memory:
        return own, True
    present = run.images("train").sha256
    return present, own in ("", present)


def _hash_codes(codes: Codes) -> str:
    """Returns the first 16 hex digits of the SHA-256 of posterior means and log-variances."""
    digest = hashlib.sha256(str(tuple(codes.mean.shape)).encode())
    for value in (codes.mean, codes.logvar):
        if value is not None:
            digest.update(value.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]

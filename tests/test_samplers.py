"""Samplers: one conformance test for all, and what each must get right."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from splitvae.errors import UserError
from splitvae.runs import Codes
from splitvae.samplers import SAMPLERS, GaussianMixture, Sampler


def codes_of(n: int = 600, d: int = 3) -> Codes:
    """Two well separated clusters."""
    mean = torch.randn(n, d)
    mean[: n // 2] += 6
    return Codes(mean, torch.full((n, d), -4.0))


def build(name: str) -> Sampler:
    return SAMPLERS[name](components=2) if name == "gmm" else SAMPLERS[name]()


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_fits_draws_repeats_and_survives_saving(name: str, tmp_path: Path) -> None:
    sampler = build(name)
    assert sampler.fit(codes_of()) is sampler
    draw = sampler.sample(50, seed=3)
    assert draw.shape == (50, 3)
    assert draw.dtype == torch.float32
    assert torch.equal(draw, sampler.sample(50, seed=3))
    assert not torch.equal(draw, sampler.sample(50, seed=4))
    sampler.save(tmp_path / "s", "0123")
    assert torch.equal(Sampler.load(tmp_path / "s").sample(50, seed=3), draw)
    assert {f.suffix for f in (tmp_path / "s").iterdir()} == {".safetensors", ".json"}


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_a_mixture_has_the_moments_of_its_codes(covariance: str) -> None:
    codes = codes_of(4000)
    draw = GaussianMixture(2, covariance).fit(codes).sample(20_000)
    torch.testing.assert_close(draw.mean(0), codes.mean.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(draw.T.cov(), codes.mean.T.cov(), atol=0.4, rtol=0)


def test_rows_of_a_mixture_come_in_random_order() -> None:
    high = GaussianMixture(2).fit(codes_of()).sample(1000)[:, 0] > 3
    assert 300 < int((high[1:] != high[:-1]).sum()) < 700  # grouped by component there would be one change


@pytest.mark.parametrize(
    ("n", "value", "words"),
    [(5, 0.0, "too few for 20"), (600, float("nan"), "not finite"), (600, float("inf"), "finite")],
)
def test_unusable_codes_are_refused(n: int, value: float, words: str) -> None:
    codes = codes_of(n)
    codes.mean[0, 0] += value
    with pytest.raises(UserError, match=words):
        GaussianMixture(20).fit(codes)


def test_damaged_samplers_are_refused_in_one_sentence(tmp_path: Path) -> None:
    build("gmm").fit(codes_of()).save(tmp_path, "0123")
    (tmp_path / "sampler.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="damaged"):
        Sampler.load(tmp_path)

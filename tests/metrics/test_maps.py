"""What the diagnostics of latents and splits measure, in closed form, and what is written of a run."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from splitvae import metrics
from splitvae.config import Config
from splitvae.data.images import spaced
from splitvae.errors import UserError
from splitvae.evaluation.diagnostics import cached_or_diagnose, diagnose
from splitvae.evaluation.tables import evaluation_table
from splitvae.models.posteriors import Gaussian
from splitvae.models.split import Canvas, compose
from splitvae.presets.build import vae_of
from splitvae.runs import Run
from splitvae.utils.text import number

SIDE = 32


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair(first: Tensor) -> Tensor:
    """Maps (N, H, W) in [0, 1] and their complements, as masks (N, 2, 1, H, W)."""
    return torch.stack((first, 1 - first), 1).unsqueeze(2)


def wave(frequency: float) -> Tensor:
    """A map that oscillates across, with so many cycles a pixel."""
    return (0.5 + 0.2 * torch.cos(2 * math.pi * frequency * torch.arange(SIDE) + 0.3)).expand(1, SIDE, SIDE)


CHECKERBOARD = ((torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2).float()[None]
RAMP = (torch.arange(SIDE) / SIDE).expand(1, SIDE, SIDE)
NOISE = torch.rand(64, SIDE, SIDE, generator=generator())


# ---------------------------------------------------------------- latents


def test_the_counts_compare_variances_with_their_thresholds() -> None:
    signs = torch.tensor([-1.0, 1.0, -1.0, 1.0])[:, None]  # the variance of a column is its deviation squared
    mean = 3 + signs * torch.tensor([0.0, 0.09, 0.11, 0.22, 0.23, 1.0])
    assert metrics.inactive_by_mean(mean) == 4  # .22^2 < .05 < .23^2
    assert metrics.active_units(mean) == 4  # .09^2 < .01 < .11^2
    logvar = torch.tensor([0.90, 0.94, 0.96, 1.0]).log().expand(4, 4) + signs * 1e-4
    assert metrics.inactive_by_variance(logvar) == 2


def test_counts_survive_a_large_offset_of_the_means() -> None:
    mean = 4096 + 0.25 * torch.tensor([[-1.0], [1.0]]).repeat(5000, 1)
    assert metrics.inactive_by_mean(mean) == 0


def test_the_variance_law_holds_for_the_exact_posterior_of_a_linear_model() -> None:
    z = torch.randn(1000, 1, dtype=torch.float64, generator=generator())
    v = torch.tensor([0.1, 1.0, 9.0], dtype=torch.float64)  # x = z + noise of variance v
    x = (z - z.mean()) / z.std(correction=0) * (1 + v).sqrt()
    law = metrics.variance_law(x / (1 + v), (v / (1 + v)).log().expand(1000, 3))
    assert law.dtype == torch.float64
    assert torch.allclose(law, torch.ones(3, dtype=torch.float64), atol=1e-12)


def test_the_kl_of_dimensions_is_torchs_and_sums_to_the_posteriors() -> None:
    mean, logvar = torch.randn(2, 50, 6, generator=generator())
    kl = metrics.kl_by_dimension(mean, logvar)
    q, p = torch.distributions.Normal(mean, (logvar / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    assert torch.allclose(kl.float(), torch.distributions.kl_divergence(q, p).mean(0), rtol=1e-5)
    assert float(kl.sum()) == pytest.approx(float(Gaussian(mean, logvar).kl().mean()), rel=1e-5)


# ---------------------------------------------------------------- splits


@pytest.mark.parametrize(
    ("maps", "share", "tolerance"),
    [
        (CHECKERBOARD, 1.0, 1e-6),
        (RAMP, 0.0, 1e-3),
        (NOISE, 1 - math.pi / 16, 0.01),  # the area of the square of frequencies outside the disc of radius 1/4
        (wave(0.15), 0.0, 1e-3),
        (wave(0.35), 1.0, 1e-3),
        (wave(0.1) + wave(0.4), 0.5, 1e-3),  # two waves of equal energy
    ],
    ids=["checkerboard", "ramp", "noise", "low wave", "high wave", "both waves"],
)
def test_the_high_frequency_share_is_the_energy_outside_a_disc(maps: Tensor, share: float, tolerance: float) -> None:
    assert metrics.high_frequency_share(pair(maps)) == pytest.approx(share, abs=tolerance)


def test_the_share_does_not_depend_on_offset_scale_orientation_or_how_a_map_is_divided() -> None:
    maps = wave(0.1) + 0.3 * wave(0.4)
    share = metrics.high_frequency_share(pair(maps))
    assert share == pytest.approx(metrics.high_frequency_share(pair(0.2 + 0.3 * maps)), rel=1e-4)
    assert share == pytest.approx(metrics.high_frequency_share(pair(1 - maps)), rel=1e-6)
    assert share == pytest.approx(metrics.high_frequency_share(pair(maps.mT)), rel=1e-6)
    three = torch.stack((0.4 * maps, 0.6 * maps, 1 - maps), 1).unsqueeze(2)
    assert share == pytest.approx(metrics.high_frequency_share(three), rel=1e-4)


def test_a_map_counts_as_much_as_it_varies() -> None:
    faint = 0.5 + 0.01 * (CHECKERBOARD - 0.5)
    assert metrics.high_frequency_share(pair(torch.cat((wave(0.1), faint)))) < 0.01


def test_the_edges_of_any_affine_image_of_a_picture_overlap_fully() -> None:
    x = torch.rand(5, 1, SIDE, SIDE, dtype=torch.float64, generator=generator())
    assert metrics.edge_overlap(pair(0.8 - 0.5 * x[:, 0]), x) == pytest.approx(1, abs=1e-12)
    assert metrics.edge_overlap(pair(x[:, 0]), x.expand(-1, 3, -1, -1)) == pytest.approx(1, abs=1e-12)


def test_unrelated_edges_do_not_overlap() -> None:
    x = torch.rand(64, 3, SIDE, SIDE, generator=generator(1))
    assert abs(metrics.edge_overlap(pair(NOISE), x) or 0) < 0.02  # 64 correlations of 961 values: deviation .004


def test_a_contour_overlaps_with_its_silhouette_and_a_checkerboard_does_not() -> None:
    row, column = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    disc = ((row - 15.5) ** 2 + (column - 15.5) ** 2 < 100).float()[None]
    assert metrics.edge_overlap(pair(0.2 + 0.6 * disc), disc[None]) == pytest.approx(1)
    assert metrics.edge_overlap(pair(CHECKERBOARD), disc[None]) == 0


@pytest.mark.parametrize("level", [0.0, 1 / 3, 0.5, 1.0])
def test_constant_maps_and_images_measure_zero_and_never_nan(level: float) -> None:
    flat, x = torch.full((3, SIDE, SIDE), level), torch.rand(3, 1, SIDE, SIDE, generator=generator())
    assert metrics.high_frequency_share(pair(flat)) == 0
    assert metrics.edge_overlap(pair(flat), x) == 0
    assert metrics.edge_overlap(pair(x[:, 0]), flat[:, None]) == 0
    assert metrics.map_contrast(pair(flat)) == pytest.approx(0, abs=1e-7)


def test_contrast_is_half_where_a_map_is_half_black_and_half_white() -> None:
    assert metrics.map_contrast(pair(CHECKERBOARD)) == pytest.approx(0.5)


@pytest.mark.parametrize("split", [2, 3])
def test_ambiguity_is_by_how_much_blending_lowers_the_components_error(split: int) -> None:
    canvas = compose(torch.randn(4, 4 * split - 1, 8, 8, generator=generator()), split)
    x = torch.rand(4, 3, 8, 8, generator=generator(1))
    components = (canvas.masks * (x.unsqueeze(1) - canvas.images).square()).sum(1).mean()
    assert metrics.mean_ambiguity(canvas) == pytest.approx(float(components - (x - canvas.image).square().mean()), rel=1e-4)


def test_what_is_not_split_has_no_measure_of_its_split() -> None:
    canvas = compose(torch.randn(2, 1, 8, 8), 1)
    assert metrics.high_frequency_share(canvas.masks) is None
    assert metrics.edge_overlap(canvas.masks, canvas.image) is None
    assert metrics.map_contrast(canvas.masks) is None
    assert metrics.mean_ambiguity(canvas) is None


def test_the_verdict_tells_checkerboards_from_contours() -> None:
    row, column = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    radius = ((row - 15.5) ** 2 + (column - 15.5) ** 2).sqrt()[None]
    x, contour = (radius < 10).float(), ((radius - 10).abs() < 0.6).float()

    def verdict(masks: Tensor) -> str:
        share, overlap = metrics.high_frequency_share(masks), metrics.edge_overlap(masks, x[None])
        assert share is not None and overlap is not None
        return metrics.classify_split(share, overlap)

    assert verdict(pair(CHECKERBOARD)) == "syntactic"
    assert verdict(pair(0.5 + (CHECKERBOARD - 0.5) * x)) == "syntactic"  # although it fades with the image
    assert verdict(pair(x)) == "semantic"
    assert verdict(pair(contour)) == "semantic"  # although its energy lies at high frequencies
    assert verdict(pair(RAMP)) == "mixed"


# ---------------------------------------------------------------- a run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Run]:
    """Untrained runs, plain and split, on 60 random images."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    images = {f"x_{part}": rng.integers(0, 256, (n, 16, 16), dtype=np.uint8) for part, n in (("train", 30), ("test", 60))}
    np.savez(folder / "images.npz", **images)
    return {split: make(folder / f"split{split}", folder / "images.npz", split) for split in (1, 2)}


def make(path: Path, data: Path, split: int) -> Run:
    torch.manual_seed(split)
    config = Config(data=str(data), shape=(1, 16, 16), latent_dim=5, split=split, width=4, scales=2, embedding=8)
    vae = vae_of(config).eval()
    run = Run.begin(path, config, vae.counts())
    run.save_model(vae)
    return run


def test_what_is_written_is_what_the_functions_give(runs: dict[int, Run]) -> None:
    run = runs[2]
    result = diagnose(run)
    assert result == run.evaluation
    x = run.images("test").pixels.float() / 255
    canvas, codes = run.vae.reconstruct(x), run.codes("test")
    assert result["reconstruction"]["mse"]["value"] == pytest.approx(float((canvas.image - x).square().mean()), rel=1e-5)
    assert result["latent"]["kl"]["value"] == pytest.approx(float(Gaussian(codes.mean, codes.logvar).kl().mean()), rel=1e-5)
    assert result["latent"]["inactive_by_mean"] == metrics.inactive_by_mean(codes.mean)
    split = result["split"]
    assert split["high_frequency_share"]["value"] == pytest.approx(metrics.high_frequency_share(canvas.masks), rel=1e-4)
    assert split["edge_overlap"]["value"] == pytest.approx(metrics.edge_overlap(canvas.masks, x), rel=1e-4)
    assert split["map_contrast"]["value"] == pytest.approx(metrics.map_contrast(canvas.masks), rel=1e-4)
    assert split["mean_ambiguity"]["value"] == pytest.approx(metrics.mean_ambiguity(canvas), rel=1e-4)
    assert result["model"]["fingerprint"] == run.vae.fingerprint()
    assert result["model"]["parameters"] == run.vae.counts()


def test_an_unsplit_model_has_no_split_in_its_evaluation(runs: dict[int, Run]) -> None:
    assert diagnose(runs[1])["split"] is None


def test_measuring_is_repeatable_and_leaves_the_random_state_alone(runs: dict[int, Run]) -> None:
    runs[2].vae.train()
    state = torch.get_rng_state()
    first, second = diagnose(runs[2]), diagnose(runs[2])
    assert first == second
    assert torch.equal(state, torch.get_rng_state())
    assert not runs[2].vae.training
    assert first["reconstruction"]["mse_sampled"] != diagnose(runs[2], seed=1)["reconstruction"]["mse_sampled"]


def test_an_evaluation_is_kept_until_the_model_changes(runs: dict[int, Run]) -> None:
    diagnose(runs[1], limit=7)
    assert cached_or_diagnose(runs[1])["data"]["images"] == 7
    with torch.no_grad():
        runs[1].vae.encoder.latent.mean.bias.add_(1)
    assert cached_or_diagnose(runs[1])["data"]["images"] == 60


def test_a_limit_chooses_evenly_and_below_one_is_refused(runs: dict[int, Run]) -> None:
    assert spaced(10, 4).tolist() == [0, 2, 5, 7]
    assert spaced(3, 10).tolist() == [0, 1, 2]
    with pytest.raises(UserError, match="limit=0"):
        diagnose(runs[1], limit=0)


def test_a_deviation_is_that_of_interleaved_blocks() -> None:
    values = torch.arange(10.0, dtype=torch.float64).repeat(4)  # block i holds i alone
    assert metrics.with_deviation(torch.mean, values) == {
        "value": 4.5,
        "deviation": pytest.approx(float(torch.arange(10.0).std())),
    }
    assert metrics.with_deviation(torch.mean, values[:19])["deviation"] is None


def test_a_table_says_each_number_in_a_line(runs: dict[int, Run]) -> None:
    result = diagnose(runs[2])
    text = evaluation_table(result)
    assert text.startswith(f"Measured on 60 test images of {result['data']['source']}:")
    assert f"{number(result['latent']['kl']['value'])} ± " in text
    assert result["split"]["verdict"] in text
    assert evaluation_table(diagnose(runs[1])).count("not applicable") == 5


def test_numbers_keep_their_significant_zeros() -> None:
    assert [number(value) for value in (-4687.3, 12345.6)] == ["−4,690", "12,300"]
    assert [number(value) for value in (0.004, -0.0416, 20.0, 100.0, 1.66e-5)] == [
        "0.00400",
        "−0.0416",
        "20.0",
        "100",
        "1.66e-05",
    ]


def test_the_canvas_of_a_batch_is_measured_image_by_image() -> None:
    canvas = compose(torch.randn(6, 3, 16, 16, generator=generator()), 2)
    high, total = metrics.map_energies(canvas.masks)
    one = Canvas(canvas.images[3:4], canvas.masks[3:4])
    assert torch.allclose(metrics.map_energies(one.masks)[0], high[3:4])
    assert bool((high <= total).all())

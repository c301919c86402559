"""Scores: what is compared with what, where each number comes from, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import nn

import splitvae
from splitvae import report
from splitvae.cli.app import main
from splitvae.data.images import Images
from splitvae.data.sources import load_all
from splitvae.errors import UserError
from splitvae.evaluation import scores
from splitvae.evaluation.diagnostics import diagnose, evaluate
from splitvae.evaluation.tables import evaluation_table, score_table
from splitvae.features.base import ModuleFeatures, extract_features
from splitvae.metrics.fid import frechet_distance
from splitvae.models.codes import encode
from splitvae.presets.images import match_config
from splitvae.runs import Run
from splitvae.training import previews
from splitvae.utils.text import format_number

SETTINGS = {
    "width": 4,
    "scales": 2,
    "embedding": 16,
    "latent_dim": 3,
    "preview_every": 0,
    "validation": 0,
    "progress": False,
}


def pooled(shape: tuple[int, int, int] = (1, 12, 12)) -> ModuleFeatures:
    """Mean colours of four quarters."""
    return ModuleFeatures(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()), "pooled", shape)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Barely trained models: split in two, plain, and of codes without noise."""
    images = splitvae.load("digits", side=12)
    test = splitvae.load("digits", "test", side=12)
    trained = {}
    for name, extra in {
        "split": {"split": 2},
        "plain": {"split": 1},
        "bare": {"split": 1, "latent": "deterministic", "loss": "rae"},
    }.items():
        out = tmp_path_factory.mktemp(name) / "run"
        trained[name] = splitvae.train("digits-svae", images, out=out, epochs=1, pad=2, **SETTINGS, **extra)
        trained[name].remember("test", match_config(test, trained[name].config))
    return trained


def test_columns_are_the_features_of_the_blend_of_each_component_and_of_a_mix(runs: dict[str, Run]) -> None:
    vae, extractor = runs["split"].vae, pooled()
    z = torch.randn(40, 3)
    columns = scores.component_features(vae, z, extractor, pad=2, seed=5)
    with torch.no_grad():
        canvas = vae.decode(z)
    cut = canvas.images[..., 2:14, 2:14]
    torch.testing.assert_close(columns["blend"], extract_features(extractor, canvas.image[..., 2:14, 2:14]))
    for k in (0, 1):
        torch.testing.assert_close(columns[f"x{k + 1}"], extract_features(extractor, cut[:, k]))
    first, second = ((columns["mix"] - columns[f"x{k}"]).abs().amax(1) < 1e-6 for k in (1, 2))
    assert bool((first | second).all())
    assert 8 < int(first.sum()) < 32
    assert set(scores.component_features(runs["plain"].vae, z, extractor, pad=2)) == {"blend"}


def test_a_score_holds_where_its_numbers_come_from(runs: dict[str, Run]) -> None:
    extractor = pooled()
    result = scores.score(runs["split"], extractor, "clean", splitvae.GaussianMixture(2), seed=3)
    assert result["extractor"]["fingerprint"] == extractor.fingerprint
    assert (result["protocol"], result["model"]) == ("clean", runs["split"].vae.fingerprint())
    assert (result["generated"], result["real"]["images"], result["real"]["part"]) == (179, 179, "test")
    assert result["real"]["shape"] == [1, 12, 12]  # without the padding
    assert result["sampler"]["parameters"]["components"] == 2
    assert any("179" in note for note in result["notes"])  # fewer than requested
    for bank in ("REC", "GEN", "EX-POST"):
        assert set(result["banks"][bank]) == {"blend", "x1", "x2", "mix"}
        for column in result["banks"][bank].values():
            assert column["fid"]["deviation"] > 0
        assert result["banks"][bank]["blend"]["kid"]["deviation"] > 0
        assert 0 <= result["banks"][bank]["blend"]["coverage"]["value"] <= 1
    text = score_table(result)
    assert "protocol clean" in text
    assert extractor.fingerprint in text
    assert result == scores.score(runs["split"], extractor, "clean", splitvae.GaussianMixture(2), seed=3)


def test_reconstructions_and_samples_have_the_distances_computed_by_hand(runs: dict[str, Run]) -> None:
    run, extractor = runs["split"], pooled()
    result = scores.score(run, extractor, "clean", splitvae.GaussianMixture(2), seed=3)
    test = run.images("test")
    real = extract_features(extractor, test.pixels[..., 2:14, 2:14])
    with torch.no_grad():
        blend = run.vae.decode(encode(run.vae, test).mean).image[..., 2:14, 2:14]
        drawn = run.vae.sample(179, 3).image[..., 2:14, 2:14]
    for bank, images in {"REC": blend, "GEN": drawn}.items():
        expected = frechet_distance(real, extract_features(extractor, images))
        assert result["banks"][bank]["blend"]["fid"]["value"] == pytest.approx(expected, rel=1e-6)


def test_the_protocol_authors_is_the_public_code(runs: dict[str, Run]) -> None:
    """The code fits to test codes, keeps padding, reconstructs draws, and takes its mix from x1 and then from x2."""
    run, extractor, seed = runs["split"], pooled(), 3
    result = scores.score(run, extractor, "authors", splitvae.GaussianMixture(2), seed=seed)
    assert (result["real"]["shape"], result["padding"]) == ([1, 16, 16], "keep")
    assert "16 x 16 pixels, padding kept" in score_table(result)
    test = run.images("test")
    real, codes = extract_features(extractor, test.pixels), encode(run.vae, test)
    noise = torch.randn(codes.mean.shape, generator=torch.Generator().manual_seed(seed))
    density = splitvae.GaussianMixture(2).fit(codes)
    with torch.no_grad():
        blend = run.vae.decode(codes.mean + (codes.logvar / 2).exp() * noise).image
        canvas = run.vae.decode(density.sample_by_component(179, seed))
    mix = torch.cat([canvas.images[:90, 0], canvas.images[90:, 1]])
    for bank, column, images in (("REC", "blend", blend), ("EX-POST", "blend", canvas.image), ("EX-POST", "mix", mix)):
        expected = frechet_distance(real, extract_features(extractor, images))
        assert result["banks"][bank][column]["fid"]["value"] == pytest.approx(expected, rel=1e-6)


def test_draws_by_component_are_the_draws_in_the_order_of_a_scikit_learn_mixture() -> None:
    mixture = splitvae.GaussianMixture(2).fit(
        splitvae.Codes(torch.cat([torch.randn(80, 2), torch.randn(120, 2) + 50]), None)
    )
    grouped, shuffled = mixture.sample_by_component(100, 5), mixture.sample(100, 5)
    assert torch.equal(grouped.sort(0).values, shuffled.sort(0).values)
    is_far = grouped[:, 0] > 25
    assert int((is_far[1:] != is_far[:-1]).sum()) == 1  # one component after the other


def test_padding_is_a_setting_of_the_protocol(runs: dict[str, Run]) -> None:
    kept = dataclasses.replace(scores.find_protocol("clean"), padding="keep")
    result = evaluate(runs["plain"], pooled(), ("clean", kept), splitvae.GaussianMixture(2), 100, ())
    assert [score["real"]["shape"] for score in result["scores"].values()] == [[1, 12, 12], [1, 16, 16]]
    assert list(result["scores"]) == ["clean gmm pooled", "clean gmm pooled padding kept"]
    with pytest.raises(UserError, match="'keep'"):
        dataclasses.replace(kept, padding="kept")


def test_the_numbers_of_real_and_generated_images_are_independent(runs: dict[str, Run]) -> None:
    many = dataclasses.replace(scores.find_protocol("clean"), generated=300)
    result = scores.score(runs["plain"], pooled(), many, splitvae.GaussianMixture(2), images=100, seed=3)
    assert (result["real"]["images"], result["generated"]) == (100, 300)
    rows = scores.evenly_spaced(179, 100)
    real = extract_features(pooled(), runs["plain"].images("test").pixels[rows][..., 2:14, 2:14])
    with torch.no_grad():
        drawn = runs["plain"].vae.sample(300, 3).image[..., 2:14, 2:14]
    expected = frechet_distance(real, extract_features(pooled(), drawn))
    assert result["banks"]["GEN"]["blend"]["fid"]["value"] == pytest.approx(expected, rel=1e-6)


def test_a_mixture_that_did_not_converge_says_so(runs: dict[str, Run]) -> None:
    cut_short = splitvae.GaussianMixture(5, max_iterations=2)
    result = scores.score(runs["plain"], pooled(), "clean", cut_short)
    assert result["sampler"]["fit_info"]["iterations"] == 2
    assert not result["sampler"]["fit_info"]["converged"]
    assert any("did not converge in 2 iterations" in note for note in result["notes"])
    full = scores.score(runs["plain"], pooled(), "clean", splitvae.GaussianMixture(5))
    assert full["sampler"]["fit_info"]["converged"]
    assert not any("converge" in note for note in full["notes"])


def test_the_banks_that_protocols_share_are_measured_once(runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = splitvae.GaussianMixture(2)
    clean = scores.score(runs["plain"], pooled(), "clean", mixture)
    separate = scores.score(runs["plain"], pooled(), "paper", mixture)
    calls, columns = [], scores.component_features
    monkeypatch.setattr(scores, "component_features", lambda *a, **k: calls.append(0) or columns(*a, **k))
    assert scores.score(runs["plain"], pooled(), "paper", mixture, reuse=clean) == separate
    assert len(calls) == 1


def test_fitted_samplers_are_saved_by_protocol_and_not_fitted_again(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = splitvae.GaussianMixture(3)
    first = scores.score(runs["plain"], pooled(), "paper", mixture)
    monkeypatch.setattr(splitvae.GaussianMixture, "fit", lambda *_: pytest.fail("fitted again"))
    assert scores.score(runs["plain"], pooled(), "paper", mixture) == first
    assert (runs["plain"].path / "samplers" / "gmm-paper" / "sampler.safetensors").exists()


def test_an_evaluation_keeps_its_scores_until_the_model_changes(runs: dict[str, Run]) -> None:
    run = runs["split"]
    result = evaluate(run, pooled(), ("clean",), splitvae.GaussianMixture(2), 100, (1, 4))
    assert list(result["scores"]) == ["clean gmm pooled"]
    assert result["likelihood"]["draws"]["4"]["value"] < 0
    assert diagnose(run)["scores"] == result["scores"]
    assert json.loads((run.path / "evaluation.json").read_text())["scores"] == result["scores"]
    table = evaluation_table(result)
    assert "bits a dimension" in table
    for words, draws in (("1 draw ", "1"), ("4 draws ", "4")):  # those that were measured
        bound = f"bound on the log-likelihood, nats, {words}"
        assert f"{format_number(result['likelihood']['draws'][draws]['value'])} ± " in table.split(bound)[1].splitlines()[0]
    assert table.count("bound on") == 2
    with torch.no_grad():
        next(run.vae.decoder.parameters()).add_(1e-3)
    assert "scores" not in diagnose(run)


def test_codes_without_noise_are_scored_and_have_no_likelihood(runs: dict[str, Run]) -> None:
    result = evaluate(runs["bare"], pooled(), ("clean",), splitvae.GaussianMixture(2), 100)
    assert "likelihood" not in result
    assert evaluation_table(result).count("not applicable") == 5 + 2
    assert result["scores"]["clean gmm pooled"]["banks"]["EX-POST"]["blend"]["fid"]["value"] >= 0


def test_a_report_of_codes_without_noise_is_written(runs: dict[str, Run]) -> None:
    evaluate(runs["bare"], pooled(), ("clean",), splitvae.GaussianMixture(2), 100)
    page = report.write_report([runs["bare"]]).read_text()
    assert "Rate of the code" in page
    assert "protocol clean" in page
    assert "diag" in page or "full" in page  # the density that was fitted
    comparison = report.write_report(list(runs.values()), runs["bare"].path / "all.html")
    assert "Distance from test images" in comparison.read_text()


def test_scores_of_other_images_are_not_kept(runs: dict[str, Run]) -> None:
    run = runs["plain"]
    evaluate(run, pooled(), ("clean",), splitvae.GaussianMixture(2), 100, ())
    assert "scores" in diagnose(run)
    test = run.images("test")
    run.remember("test", dataclasses.replace(test, pixels=255 - test.pixels))
    assert "scores" not in diagnose(run)
    run.remember("test", test)


def test_a_damaged_evaluation_is_refused_with_its_remedy(runs: dict[str, Run]) -> None:
    run = runs["plain"]
    diagnose(run)
    (run.path / "evaluation.json").write_text("{")
    with pytest.raises(UserError, match="measures anew"):
        diagnose(run)
    (run.path / "evaluation.json").unlink()


def test_the_test_part_of_a_set_with_parts_is_compared(tmp_path: Path) -> None:
    import numpy as np

    assert (load_all("digits").part, len(load_all("digits"))) == ("all", 1797)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "parts.npz", x_train=pixels[:20], x_test=pixels[20:])
    images = load_all(tmp_path / "parts.npz")
    assert (images.part, len(images)) == ("test", 10)
    assert any("the test part is taken" in note for note in images.notes)


def test_two_sets_of_images_are_compared_without_a_model() -> None:
    images = splitvae.load("digits", side=12)
    same = scores.compare_image_sets(images, images, pooled())
    assert same["distances"]["fid"]["value"] == pytest.approx(0, abs=1e-9)
    assert same["distances"]["coverage"]["value"] == 1
    larger = scores.compare_image_sets(images, splitvae.load("digits", side=16), pooled())
    assert any("16x16 to 12x12" in note for note in larger["notes"])
    colour = Images(images.pixels.expand(-1, 3, -1, -1), None, (), "colourful", "all", ())
    with pytest.raises(UserError, match=r"1 channels and colourful 3"):
        scores.compare_image_sets(images, colour, pooled())


# ---------------------------------------------------------------- training and commands


def test_distances_during_training_do_not_change_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "load_extractor", lambda *_, **__: pooled((1, 16, 16)))
    images = splitvae.load("digits", side=16)
    with_it, without = (
        splitvae.train("digits-svae", images, out=tmp_path / f"fid-{n}", epochs=3, fid_every=n, **SETTINGS) for n in (2, 0)
    )
    assert [sorted(k for k in row if k.startswith("fid")) for row in with_it.history] == [
        [],
        ["fid", "fid_x1", "fid_x2"],
        ["fid", "fid_x1", "fid_x2"],
    ]
    assert with_it.vae.fingerprint() == without.vae.fingerprint()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    import numpy as np

    paths = tmp_path / "a.npz", tmp_path / "b.npz"
    for i, path in enumerate(paths):
        np.savez(path, images=np.random.default_rng(i).integers(0, 256, (60, 16, 16, 1 + 2 * i), dtype=np.uint8))
    return paths


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("evaluate", "say of which run"),
        ("evaluate nowhere", "holds no run"),
        ("evaluate RUN -n 1", "-n 1"),
        ("evaluate RUN --seed -1", "--seed -1"),
        ("evaluate RUN --protocol fair", "clean"),
        ("evaluate RUN --features incepton", "'inception'"),
        ("evaluate RUN --sampler flwo", "'flow'"),
        ("evaluate RUN --sampler flow --components 3", "--sampler gmm"),
        ("evaluate RUN --features inception --inception-weights /nonexistent.pth", "/nonexistent.pth"),
        ("evaluate RUN --images A A", "not both"),
        ("evaluate --images A B", "channels"),
        ("evaluate --images A /nonexistent", "/nonexistent"),
    ],
)
def test_mistakes_on_the_command_line_are_answered_with_a_message(
    runs: dict[str, Run], folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], words: str, answer: str
) -> None:
    named = {"RUN": str(runs["plain"].path), "A": str(folders[0]), "B": str(folders[1])}
    try:
        status = main([named.get(w, w) for w in words.split()])
    except SystemExit as end:
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    assert status != 0
    assert answer in out + err
    assert "Traceback" not in out + err

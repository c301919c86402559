"""Probes of a run: what is measured, what it is compared with, and what is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from splitvae.cli.probe import Probe
from splitvae.data.images import Images
from splitvae.errors import UserError
from splitvae.evaluation.fitted_samplers import find_fitted_sampler
from splitvae.figures.probes import plot_code_maps, plot_model_maps, plot_probe_accuracy
from splitvae.figures.run import draw_run
from splitvae.models.vae import VAE
from splitvae.probes.classifiers import fit_probes, standard_error
from splitvae.probes.codes import LabelledCodes, fuse_label_groups
from splitvae.probes.labelled_images import load_labelled_images
from splitvae.probes.measure import encode_posteriors, measure_swaps, probe, read_cached_probes
from splitvae.probes.tables import probe_table
from splitvae.runs import Run
from splitvae.samplers.conditional_flow import ConditionalFlow

KINDS = ("means", "samples", "untrained_means", "untrained_samples")


def numbers(accuracy: dict[str, float]) -> tuple[float, ...]:
    assert accuracy.keys() == {"train", "test", "error", "gain", "passes"}
    assert all(0 <= accuracy[key] <= 1 for key in ("train", "test", "error"))
    return tuple(accuracy.values())


# ---------------------------------------------------------------- what is written


def test_every_accuracy_comes_with_those_of_an_untrained_network_and_of_the_majority(
    result: dict[str, Any], run: Run
) -> None:
    labels = run.images("test").labels
    assert labels is not None
    train = run.images("train").labels
    assert train is not None
    assert result["majority"] == pytest.approx(float((labels == train.mode().values).double().mean()))
    assert result["labels"] == 10
    assert {name: code["dimensions"] for name, code in result["codes"].items()} == {
        "independent style": 2,
        "style": 2,
        "content": 4,
    }
    for row in (*result["codes"].values(), *result["curve"]):
        for kind in KINDS:
            numbers(row[kind])
    assert result["codes"]["content"]["means"] != result["codes"]["content"]["untrained_means"]
    assert all("majority" in point for point in result["curve"])


def test_the_curve_begins_with_single_images_and_ends_at_the_rarest_label(result: dict[str, Any], run: Run) -> None:
    labels = run.images("test").labels
    assert labels is not None
    fewest = int(labels.bincount().min())
    assert 4 <= fewest < 8
    assert [point["members"] for point in result["curve"]] == [1, 2, 4]
    assert result["curve"][0]["means"] == result["codes"]["content"]["means"]
    for point in result["curve"]:
        whole = int((labels.bincount() // point["members"]).sum())
        assert point["groups"]["independent"] == whole
        assert point["groups"]["test"] >= len(labels) >= whole
        assert point["groups"]["train"] >= 300
        share = point["means"]["test"]
        assert point["means"]["error"] == standard_error(share, whole)


def test_the_file_holds_the_result_and_where_it_comes_from(result: dict[str, Any], run: Run, iterations: int) -> None:
    assert json.loads((run.path / "probes.json").read_text()) == result
    assert result["model"]["fingerprint"] == run.vae.fingerprint()
    assert (result["model"]["fusion"], result["model"]["eps_std"]) == ("poe", 0.5)
    assert (result["iterations"], result["seed"]) == (iterations, 0)
    assert result["versions"].keys() == {"splitvae", "torch"}
    for part in ("train", "test"):
        images = run.images(part)
        assert result["data"][part]["sha256"] == images.sha256
        assert result["data"][part]["images"] == result["data"][part]["available"] == len(images)


def test_probing_is_repeatable_and_does_not_change_the_random_state(
    run: Run, result: dict[str, Any], iterations: int
) -> None:
    state = torch.get_rng_state()
    run.vae.train()
    assert probe(run, iterations, progress=False) == result
    assert torch.equal(state, torch.get_rng_state())
    assert not run.vae.training
    other = probe(run, 1, seed=1, progress=False, independent_style=False)
    assert (other["seed"], other["iterations"]) == (1, 1)
    (run.path / "probes.json").write_text(json.dumps(result))


def test_a_result_is_used_again_until_the_model_changes(
    make_run: Callable[..., Run], run: Run, result: dict[str, Any], tmp_path: Path, iterations: int
) -> None:
    assert read_cached_probes(run) == result
    assert read_cached_probes(run, iterations) == result
    assert read_cached_probes(run, 6000) is None
    other = make_run(tmp_path / "run")
    assert read_cached_probes(other) is None
    (other.path / "probes.json").write_text(json.dumps(result))
    assert read_cached_probes(other) is None  # another model's
    (run.path / "probes.json").write_text(json.dumps({k: v for k, v in result.items() if k != "notes"}))
    assert read_cached_probes(run) is None  # of an earlier version, which says not whether its probes are settled
    (run.path / "probes.json").write_text(json.dumps(result))
    (other.path / "probes.json").write_text("[]")
    with pytest.raises(UserError, match="is damaged"):
        read_cached_probes(other)


# ---------------------------------------------------------------- what is measured


def test_an_untrained_run_equals_its_untrained_copy(make_run: Callable[..., Run], tmp_path: Path, iterations: int) -> None:
    result = probe(make_run(tmp_path / "run", seed=0), iterations, progress=False)  # the weights that training begins with
    for row in (*result["codes"].values(), *result["curve"]):
        assert row["means"] == row["untrained_means"]
        assert row["samples"] == row["untrained_samples"]


def test_the_content_of_a_single_image_is_what_the_model_encodes(make_run: Callable[..., Run], tmp_path: Path) -> None:
    for fusion in ("poe", "poe-prior", "mean", "harmonic"):
        run = make_run(tmp_path / fusion, fusion=fusion)
        images = run.images("test")
        read, codes = encode_posteriors(run.vae, images.pixels), run.codes("test")
        assert torch.allclose(read["style"].mean, codes.mean[:, :2], atol=1e-6)
        # Silenced: a str that is one of the names.
        one, _, _ = fuse_label_groups(read["content"], torch.zeros(len(images), dtype=torch.long), 1, fusion)
        assert torch.allclose(one.mean.sort(0).values, codes.mean[:, 2:].sort(0).values, atol=1e-5)
        assert codes.logvar is not None
        assert torch.allclose(one.logvar.sort(0).values, codes.logvar[:, 2:].sort(0).values, atol=1e-5)


def test_samples_of_codes_without_noise_are_means(make_run: Callable[..., Run], tmp_path: Path, iterations: int) -> None:
    result = probe(make_run(tmp_path / "mean", content_draw="mean"), iterations, progress=False, independent_style=False)
    for point in result["curve"]:
        assert point["samples"] == point["means"]
    assert result["codes"]["style"]["samples"] != result["codes"]["style"]["means"]
    result = probe(make_run(tmp_path / "plain", latent="deterministic"), iterations, progress=False)
    assert result["codes"].keys() == {"latent"}
    assert result["codes"]["latent"]["samples"] == result["codes"]["latent"]["means"]
    assert (result["curve"], result["use"]) == ([], None)
    assert "latent, means" in probe_table(result)
    with pytest.raises(UserError, match="no content"):
        plot_probe_accuracy(result)


def test_an_untrained_network_has_batchnorm_statistics_of_images(make_run: Callable[..., Run], tmp_path: Path) -> None:
    from splitvae.probes.measure import _untrained_copy

    sizes = {"net": "resnet", "shape": (1, 16, 16), "width": 4, "scales": 2, "embedding": 8}
    run = make_run(tmp_path / "run", latent="gaussian", **sizes)
    untrained = _untrained_copy(run, run.images("train").pixels, 0)
    norms = [m for m in untrained.encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and all(bool(m.running_mean.abs().sum() > 0) for m in norms if m.running_mean is not None)
    assert not untrained.training


def attend_to(vae: VAE, columns: slice) -> None:
    """Makes a dense decoder depend on some dimensions of z only."""
    weight = vae.decoder.hidden.weight
    assert isinstance(weight, torch.Tensor)
    with torch.no_grad():
        scaled = 20 * weight[:, columns]
        weight.zero_()
        weight[:, columns] = scaled


def test_swapped_codes_show_which_codes_the_decoder_uses(
    make_run: Callable[..., Run], tmp_path: Path, iterations: int
) -> None:
    run = make_run(tmp_path / "run")
    attend_to(run.vae, slice(0, 6))
    x = run.images("test").pixels.float() / 255
    mse = float((run.vae.reconstruct(x).image - x).square().mean())
    use = probe(run, iterations, progress=False, independent_style=False)["use"]
    assert use["mse"] == pytest.approx(mse, rel=1e-5)
    assert use["content_ratio"] == pytest.approx(use["content_shuffled"] / use["mse"])
    assert use["content_ratio"] != pytest.approx(1, abs=1e-3)
    assert use["style_ratio"] != pytest.approx(1, abs=1e-3)
    for columns, used, ignored in ((slice(0, 2), "style", "content"), (slice(2, 6), "content", "style")):
        other = make_run(tmp_path / used)
        attend_to(other.vae, columns)
        result = measure_swaps(other.vae.eval(), load_labelled_images(other)[1], 0)
        assert result is not None
        assert result[f"{ignored}_ratio"] == pytest.approx(1, abs=1e-7)
        assert result[f"{used}_ratio"] != pytest.approx(1, abs=1e-3)


# ---------------------------------------------------------------- labels


def test_images_without_labels_are_refused_with_a_remedy(
    make_run: Callable[..., Run], tmp_path: Path, iterations: int
) -> None:
    run = make_run(tmp_path / "run")
    run.remember("train", replace(run.images("train"), labels=None))
    with pytest.raises(UserError, match=r"no labels.*subfolder a class.*`labels`"):
        probe(run, iterations, progress=False)
    assert not (run.path / "probes.json").exists()


def test_images_of_one_label_and_senseless_numbers_are_refused(
    make_run: Callable[..., Run], tmp_path: Path, iterations: int
) -> None:
    run = make_run(tmp_path / "run")
    for words, arguments in (("iterations=0", {"iterations": 0}), ("seed=-1", {"seed": -1})):
        with pytest.raises(UserError, match=words):
            probe(run, **{"iterations": iterations, "progress": False, **arguments})
    for part in ("train", "test"):
        images = run.images(part)
        run.remember(part, replace(images, labels=torch.zeros(len(images), dtype=torch.long)))
    with pytest.raises(UserError, match="same label"):
        probe(run, iterations, progress=False)


def test_attributes_mean_the_same_in_both_parts(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    pixels = run.images("test").pixels[:6]
    attributes = torch.tensor([[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 0]])
    train = Images(pixels, attributes, ("Male", "Old", "Hat"), "people", "train", ())
    run.remember("train", train)
    run.remember("test", replace(train, pixels=pixels[3:4], labels=attributes[3:4], part="test"))  # all but one are missing
    train, test = load_labelled_images(run, "Male,Old")
    assert train.labels.tolist() == [0, 1, 2, 3, 0, 3]
    assert test.labels.tolist() == [3]
    assert train.names == ("not Male, not Old", "not Male, Old", "Male, not Old", "Male, Old")
    with pytest.raises(UserError, match="group_by='NAME'"):
        load_labelled_images(run)
    with pytest.raises(UserError, match="did you mean 'Male'"):
        load_labelled_images(run, "Mael")


# ---------------------------------------------------------------- pictures and the command


def test_the_figure_has_a_line_per_code_and_one_of_the_majority(result: dict[str, Any]) -> None:
    (axes,) = plot_probe_accuracy(result).axes
    assert len(axes.lines) == 5
    means = [100 * point["means"]["test"] for point in result["curve"]]
    assert axes.lines[0].get_xdata() == pytest.approx([1, 2, 4])
    assert axes.lines[0].get_ydata() == pytest.approx(means)
    assert [line.get_linestyle() for line in axes.lines[:4]] == ["-", "--", "-", "--"]


def test_the_figure_says_which_probes_are_not_settled(result: dict[str, Any]) -> None:
    title = plot_probe_accuracy(result).get_suptitle()
    assert "Too few iterations (15)" in title
    assert "Too few test images" in title
    assert plot_probe_accuracy({**result, "notes": []}).get_suptitle() == ""


def test_maps_show_each_code_by_two_methods_and_name_every_class() -> None:
    labels = torch.arange(40) % 10
    codes = {"style": torch.randn(40, 1), "content": torch.randn(40, 3)}
    figure = plot_code_maps(codes, labels, tuple("abcdefghij"))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "style, PCA",
        "style, t-SNE",
        "content, PCA",
        "content, t-SNE",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list("abcdefghij")
    # Silenced: handles are lines.
    looks = {(h.get_color(), h.get_marker()) for h in figure.legends[0].legend_handles}
    assert len(looks) == 10
    many = plot_code_maps({"latent": torch.randn(60, 2)}, torch.arange(60) % 30)
    assert not many.legends
    assert len(many.axes) == 3  # the third is the colour bar
    with pytest.raises(UserError, match="give one each"):
        plot_code_maps(codes, labels[:-1])


def test_maps_of_several_models_have_a_row_each_and_count_the_points_that_groups_share() -> None:
    labels = torch.arange(40) % 10
    shared = torch.randn(10, 3)[labels]  # one code for each class
    codes = {"style": torch.randn(40, 1), "evidence": shared}
    figure = plot_model_maps({"one": codes, "two": codes}, labels)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["style", "evidence: 10 points"] * 2
    assert [axes.get_ylabel() for axes in figure.axes] == ["one", "", "two", ""]
    assert len(figure.legends[0].get_texts()) == 10
    with pytest.raises(UserError, match="give one each"):
        plot_model_maps({"one": codes}, labels[:-1])


def test_independent_styles_are_those_of_the_flow_that_stays_with_the_run(
    result: dict[str, Any], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = find_fitted_sampler(run, "conditional-flow")
    assert isinstance(flow, ConditionalFlow)
    assert flow.content_dim == 4
    codes = {part: run.codes(part) for part in ("train", "test")}
    expected = fit_probes(
        *([LabelledCodes(flow.separate(z.mean)[0], z.labels)] for z in codes.values()), result["iterations"]
    )
    assert result["codes"]["independent style"]["means"]["test"] == pytest.approx(expected[0].test)
    assert "independent style, samples" not in probe_table(result)
    assert run.path / "figures" / "swaps-independent.png" in draw_run(run)
    shutil.copytree(run.path / "model", tmp_path / "other" / "model")
    shutil.copy(run.path / "config.json", tmp_path / "other")
    other = Run(tmp_path / "other")
    assert find_fitted_sampler(other, "conditional-flow") is None
    few = probe(other, 2, progress=False, independent_style=False)
    assert few["codes"].keys() == {"style", "content"}
    assert not (other.path / "samplers").exists()


def test_the_command_writes_numbers_and_pictures(
    make_run: Callable[..., Run], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], iterations: int
) -> None:
    run = make_run(tmp_path / "run")
    Probe(run.path, data=str(data), iterations=iterations)()
    output = capsys.readouterr().out
    assert "untrained, test" in output
    assert "content of 4, means" in output
    assert "too few test images: they leave ± " in output
    assert "Too few iterations (15), so that" in output
    for name in ("probes.json", "figures/probes.png", "figures/code-maps.png", "figures/swaps-independent.png"):
        assert (run.path / name).is_file()
        assert name in output
    for wrong in ({"iterations": 0}, {"seed": -1}):
        with pytest.raises(UserError, match="--"):
            Probe(run.path, **wrong)()

"""What is asked of a run's codes, what stands beside it, and what is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from splitvae.cli.probe import Probe
from splitvae.config import Config
from splitvae.data.images import Images
from splitvae.errors import UserError
from splitvae.figures.probes import plot_code_maps, plot_probe_accuracy
from splitvae.models.vae import VAE
from splitvae.presets.build import vae_of
from splitvae.probes.codes import accumulated
from splitvae.probes.measure import current, labelled, posteriors, probe
from splitvae.probes.tables import table
from splitvae.runs import Run

FEW = 15  # iterations: what is measured is looked at elsewhere
KINDS = ("means", "samples", "untrained_means", "untrained_samples")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 digits to train on, and 100 to test, of which the rarest has between 4 and 7."""
    digits = load_digits()
    file = tmp_path_factory.mktemp("data") / "digits.npz"
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    keep = np.r_[0:300, 400:500]
    keep = np.r_[keep[:300], keep[300:][(digits.target[keep[300:]] != 3) | (np.arange(100) < 60)]]
    x, y = pixels[keep], digits.target[keep]
    np.savez(file, x_train=x[:300], y_train=y[:300], x_test=x[300:], y_test=y[300:])
    return file


def make(path: Path, data: Path, seed: int = 7, **fields: Any) -> Run:
    """A run of the dense network with weights of `seed`, which is the config's own where it is 0."""
    asked: dict[str, Any] = {
        "shape": (1, 8, 8),
        "latent_dim": 6,
        "split": 1,
        "net": "mlp",
        "embedding": 12,
        "content_dim": 4,
    }
    config = Config(data=str(data), **{**asked, "latent": "grouped", **fields})
    torch.manual_seed(seed)
    vae = vae_of(config)
    run = Run.begin(path, config, vae.counts())
    run.save_model(vae)
    return run


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make(tmp_path_factory.mktemp("runs") / "grouped", data, eps_std=0.5)


@pytest.fixture(scope="module")
def result(run: Run) -> dict[str, Any]:
    return probe(run, FEW, progress=False)


def numbers(accuracy: dict[str, float]) -> tuple[float, ...]:
    assert accuracy.keys() == {"train", "test", "error"}
    assert all(0 <= v <= 1 for v in accuracy.values())
    return tuple(accuracy.values())


# ---------------------------------------------------------------- what is written


def test_every_accuracy_has_that_of_an_untrained_network_and_the_majority_beside_it(
    result: dict[str, Any], run: Run
) -> None:
    labels = run.images("test").labels
    assert labels is not None
    train = run.images("train").labels
    assert train is not None
    assert result["majority"] == pytest.approx(float((labels == train.mode().values).double().mean()))
    assert result["labels"] == 10
    assert result["codes"].keys() == {"style", "content"}
    assert [result["codes"][name]["dimensions"] for name in ("style", "content")] == [2, 4]
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
        assert point["means"]["error"] == pytest.approx((share * (1 - share) / whole) ** 0.5)


def test_the_file_holds_the_result_and_says_of_what_it_is(result: dict[str, Any], run: Run) -> None:
    assert json.loads((run.path / "probes.json").read_text()) == result
    assert result["model"]["fingerprint"] == run.vae.fingerprint()
    assert (result["model"]["fusion"], result["model"]["eps_std"]) == ("poe", 0.5)
    assert (result["iterations"], result["seed"]) == (FEW, 0)
    assert result["versions"].keys() == {"splitvae", "torch"}
    for part in ("train", "test"):
        images = run.images(part)
        assert result["data"][part]["sha256"] == images.sha256
        assert result["data"][part]["images"] == result["data"][part]["available"] == len(images)


def test_probing_is_repeatable_and_leaves_the_random_state_alone(run: Run, result: dict[str, Any]) -> None:
    state = torch.get_rng_state()
    run.vae.train()
    assert probe(run, FEW, progress=False) == result
    assert torch.equal(state, torch.get_rng_state())
    assert not run.vae.training
    other = probe(run, 1, seed=1, progress=False)
    assert (other["seed"], other["iterations"]) == (1, 1)
    (run.path / "probes.json").write_text(json.dumps(result))


def test_a_result_is_kept_until_the_model_changes(run: Run, result: dict[str, Any], tmp_path: Path, data: Path) -> None:
    assert current(run) == result
    assert current(run, FEW) == result
    assert current(run, 6000) is None
    other = make(tmp_path / "run", data)
    assert current(other) is None
    (other.path / "probes.json").write_text(json.dumps(result))
    assert current(other) is None  # another model's
    (other.path / "probes.json").write_text("[]")
    with pytest.raises(UserError, match="is damaged"):
        current(other)


def test_the_table_says_each_number_with_its_controls(result: dict[str, Any]) -> None:
    lines = table(result).splitlines()
    rows = [line.split("  ") for line in lines if line.startswith("  ")]
    found = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert found[0] == ["% of labels right", "tested", "test", "training", "untrained, test", "majority"]
    assert [row[0] for row in found[1:]] == [
        *("style, means", "style, samples", "content, means", "content, samples"),
        *("content of 2, means", "content of 2, samples", "content of 4, means", "content of 4, samples"),
    ]
    assert all(len(row) == 6 for row in found)
    untrained = result["codes"]["style"]["untrained_samples"]
    assert found[2][4] == f"{100 * untrained['test']:.1f} ± {100 * untrained['error']:.1f}"
    assert found[1][5] == f"{100 * result['majority']:.1f}"
    assert lines[-1].startswith("MSE of reconstructions")


# ---------------------------------------------------------------- what is asked


def test_an_untrained_run_reads_as_its_own_control(data: Path, tmp_path: Path) -> None:
    found = probe(make(tmp_path / "run", data, seed=0), FEW, progress=False)  # the weights that training begins with
    for row in (*found["codes"].values(), *found["curve"]):
        assert row["means"] == row["untrained_means"]
        assert row["samples"] == row["untrained_samples"]


def test_the_content_of_a_single_image_is_what_the_model_encodes(data: Path, tmp_path: Path) -> None:
    for fusion in ("poe", "poe-prior", "mean", "harmonic"):
        run = make(tmp_path / fusion, data, fusion=fusion)
        images = run.images("test")
        read, codes = posteriors(run.vae, images.pixels), run.codes("test")
        assert torch.allclose(read["style"].mean, codes.mean[:, :2], atol=1e-6)
        # Silenced: a str that is one of the names.
        one, _, _ = accumulated(read["content"], torch.zeros(len(images), dtype=torch.long), 1, fusion)  # type: ignore[arg-type]
        assert torch.allclose(one.mean.sort(0).values, codes.mean[:, 2:].sort(0).values, atol=1e-5)
        assert codes.logvar is not None
        assert torch.allclose(one.logvar.sort(0).values, codes.logvar[:, 2:].sort(0).values, atol=1e-5)


def test_contents_used_as_means_and_codes_without_noise_have_means_for_samples(data: Path, tmp_path: Path) -> None:
    found = probe(make(tmp_path / "mean", data, content_draw="mean"), FEW, progress=False)
    for point in found["curve"]:
        assert point["samples"] == point["means"]
    assert found["codes"]["style"]["samples"] != found["codes"]["style"]["means"]
    found = probe(make(tmp_path / "plain", data, latent="deterministic"), FEW, progress=False)
    assert found["codes"].keys() == {"latent"}
    assert found["codes"]["latent"]["samples"] == found["codes"]["latent"]["means"]
    assert (found["curve"], found["use"]) == ([], None)
    assert "latent, means" in table(found)
    with pytest.raises(UserError, match="no content"):
        plot_probe_accuracy(found)


def test_a_network_with_batchnorm_is_not_handicapped_by_fresh_statistics(data: Path, tmp_path: Path) -> None:
    from splitvae.probes.measure import _fresh

    asked = {"net": "resnet", "shape": (1, 16, 16), "width": 4, "scales": 2, "embedding": 8}
    run = make(tmp_path / "run", data, latent="gaussian", **asked)
    fresh = _fresh(run, run.images("train").pixels, 0)
    norms = [m for m in fresh.encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and all(bool(m.running_mean.abs().sum() > 0) for m in norms if m.running_mean is not None)
    assert not fresh.training


def hears(vae: VAE, columns: slice) -> None:
    """Makes a dense decoder attentive to some dimensions of z, and deaf to the others."""
    weight = vae.decoder.hidden.weight
    assert isinstance(weight, torch.Tensor)
    with torch.no_grad():
        loud = 20 * weight[:, columns]
        weight.zero_()
        weight[:, columns] = loud


def test_shuffled_codes_show_which_the_decoder_uses(data: Path, tmp_path: Path) -> None:
    run = make(tmp_path / "run", data)
    hears(run.vae, slice(0, 6))
    x = run.images("test").pixels.float() / 255
    mse = float((run.vae.reconstruct(x).image - x).square().mean())
    use = probe(run, FEW, progress=False)["use"]
    assert use["mse"] == pytest.approx(mse, rel=1e-5)
    assert use["content_ratio"] == pytest.approx(use["content_shuffled"] / use["mse"])
    assert use["content_ratio"] != pytest.approx(1, abs=1e-3)
    assert use["style_ratio"] != pytest.approx(1, abs=1e-3)
    for columns, heard, deaf in ((slice(0, 2), "style", "content"), (slice(2, 6), "content", "style")):
        other = make(tmp_path / heard, data)
        hears(other.vae, columns)
        found = probe(other, FEW, progress=False)["use"]
        assert found[f"{deaf}_ratio"] == pytest.approx(1, abs=1e-7)
        assert found[f"{heard}_ratio"] != pytest.approx(1, abs=1e-3)


# ---------------------------------------------------------------- labels


def test_unlabelled_images_are_refused_with_how_to_label_them(data: Path, tmp_path: Path) -> None:
    run = make(tmp_path / "run", data)
    run.remember("train", replace(run.images("train"), labels=None))
    with pytest.raises(UserError, match=r"no labels.*subfolder a class.*`labels`"):
        probe(run, FEW, progress=False)
    assert not (run.path / "probes.json").exists()


def test_images_of_one_label_and_senseless_numbers_are_refused(data: Path, tmp_path: Path) -> None:
    run = make(tmp_path / "run", data)
    for words, arguments in (("iterations=0", {"iterations": 0}), ("seed=-1", {"seed": -1})):
        with pytest.raises(UserError, match=words):
            probe(run, **{"iterations": FEW, "progress": False, **arguments})
    for part in ("train", "test"):
        images = run.images(part)
        run.remember(part, replace(images, labels=torch.zeros(len(images), dtype=torch.long)))
    with pytest.raises(UserError, match="same label"):
        probe(run, FEW, progress=False)


def test_attributes_mean_the_same_in_both_parts(data: Path, tmp_path: Path) -> None:
    run = make(tmp_path / "run", data)
    pixels = run.images("test").pixels[:6]
    attributes = torch.tensor([[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 0]])
    train = Images(pixels, attributes, ("Male", "Old", "Hat"), "people", "train", ())
    run.remember("train", train)
    run.remember(
        "test", replace(train, pixels=pixels[3:4], labels=attributes[3:4], split="test")
    )  # all but one are missing
    learned, asked = labelled(run, "Male,Old")
    assert learned.labels.tolist() == [0, 1, 2, 3, 0, 3]
    assert asked.labels.tolist() == [3]
    assert learned.names == ("not Male, not Old", "not Male, Old", "Male, not Old", "Male, Old")
    with pytest.raises(UserError, match="--group-by"):
        labelled(run)
    with pytest.raises(UserError, match="did you mean 'Male'"):
        labelled(run, "Mael")


# ---------------------------------------------------------------- pictures and the command


def test_a_curve_has_a_line_a_code_and_one_of_the_majority(result: dict[str, Any]) -> None:
    (axes,) = plot_probe_accuracy(result).axes
    assert len(axes.lines) == 5
    means = [100 * point["means"]["test"] for point in result["curve"]]
    assert axes.lines[0].get_xdata() == pytest.approx([1, 2, 4])
    assert axes.lines[0].get_ydata() == pytest.approx(means)
    assert [line.get_linestyle() for line in axes.lines[:4]] == ["-", "--", "-", "--"]


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
    looks = {(h.get_color(), h.get_marker()) for h in figure.legends[0].legend_handles}  # type: ignore[union-attr]
    assert len(looks) == 10
    many = plot_code_maps({"latent": torch.randn(60, 2)}, torch.arange(60) % 30)
    assert not many.legends
    assert len(many.axes) == 3  # the third is the colour bar
    with pytest.raises(UserError, match="give one each"):
        plot_code_maps(codes, labels[:-1])


def test_the_command_writes_numbers_and_pictures(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(tmp_path / "run", data)
    Probe(run.path, data=str(data), iterations=FEW)()
    said = capsys.readouterr().out
    assert "untrained, test" in said
    assert "content of 4, means" in said
    for name in ("probes.json", "figures/probes.png", "figures/code-maps.png"):
        assert (run.path / name).is_file()
        assert name in said
    for wrong in ({"iterations": 0}, {"seed": -1}):
        with pytest.raises(UserError, match="--"):
            Probe(run.path, **wrong)()

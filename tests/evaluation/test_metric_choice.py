"""A metric is a choice: one object in `METRICS`, and no other line, is measured, written, printed, reported and listed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from splitvae.cli.app import main
from splitvae.config import Config
from splitvae.errors import UserError
from splitvae.evaluation.diagnostics import cached_or_diagnose, diagnose
from splitvae.evaluation.tables import evaluation_table
from splitvae.metrics.outputs import ModelOutputs
from splitvae.metrics.registry import METRICS, Metric, with_deviation
from splitvae.presets.build import build_vae
from splitvae.report.page import write_report
from splitvae.runs import Run

TITLE = "contrast of the reconstructions"


def contrast(outputs: ModelOutputs) -> dict[str, float | None]:
    """The standard deviation of a reconstruction over its pixels, mean over images."""
    deviations = [canvas.image.double().std((1, 2, 3)).cpu() for _, canvas in outputs.reconstructions()]
    return with_deviation(torch.mean, torch.cat(deviations))


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Metric:
    metric = Metric("reconstruction", TITLE, contrast)
    monkeypatch.setitem(METRICS, "toy", metric)
    return metric


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained unsplit model, in a folder with the images it is measured on."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    arrays = {f"x_{part}": rng.integers(0, 256, (n, 16, 16), dtype=np.uint8) for part, n in (("train", 30), ("test", 60))}
    np.savez(folder / "images.npz", **arrays)
    make(folder / "run", folder / "images.npz")
    return folder / "run"


def make(path: Path, data: Path, **fields: object) -> Run:
    torch.manual_seed(0)
    sizes = {"shape": (1, 16, 16), "latent_dim": 3, "split": 1, "width": 4, "scales": 2, "embedding": 8}
    config = Config().override(data=str(data), **sizes | fields)
    vae = build_vae(config).eval()
    run = Run.begin(path, config, vae.counts())
    run.save_model(vae)
    return run


@pytest.fixture
def run(trained: Path) -> Run:
    (trained / "evaluation.json").unlink(missing_ok=True)
    return Run(trained)


def test_a_registered_metric_is_measured_written_printed_and_reported(run: Run, toy: Metric) -> None:
    result = diagnose(run)
    x = run.images("test").pixels.float() / 255
    expected = float(run.vae.reconstruct(x).image.double().std((1, 2, 3)).mean())
    value = result["reconstruction"]["toy"]
    assert value["value"] == pytest.approx(expected, rel=1e-5)
    assert value["deviation"] > 0
    assert json.loads((run.path / "evaluation.json").read_text())["reconstruction"]["toy"] == value
    (line,) = [line for line in evaluation_table(result).splitlines() if TITLE in line]
    assert "not" not in line
    cell = line.split(TITLE)[1].strip()
    assert f"<th>{TITLE}</th><td>{cell}</td>" in write_report(run).read_text(encoding="utf-8")
    both = write_report([run, run], run.path / "both.html").read_text(encoding="utf-8")
    assert f"<th>{TITLE}</th><td>{cell}</td><td>{cell}</td>" in both


def test_a_registered_metric_is_listed(toy: Metric, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    listed = capsys.readouterr().out
    assert "--metrics" in listed
    assert "toy" in listed
    assert main(["list"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("--metrics")]
    assert line.endswith(", toy")


def test_a_metric_may_open_a_group_and_return_a_number_or_a_word(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "worst", Metric("errors", "largest test MSE", lambda outputs: float(outputs.mse.max())))
    monkeypatch.setitem(METRICS, "kind", Metric("errors", "kind of error", lambda outputs: "large"))
    result = diagnose(run)
    assert result["errors"]["worst"] >= result["reconstruction"]["mse"]["value"]
    text = evaluation_table(result)
    assert any("largest test MSE" in line and line.split()[-1][0].isdigit() for line in text.splitlines())
    assert any("kind of error" in line and line.endswith("large") for line in text.splitlines())


def test_a_metric_that_does_not_apply_is_shown_as_not_applicable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "toy", Metric("reconstruction", TITLE, lambda outputs: None))
    result = diagnose(run)
    assert "toy" not in result["reconstruction"]
    assert result["not_applicable"] == ["toy"]
    (line,) = [line for line in evaluation_table(result).splitlines() if TITLE in line]
    assert line.endswith("not applicable")
    assert cached_or_diagnose(run) == result


def test_a_value_that_json_cannot_hold_is_refused_with_the_name_of_its_metric(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, "toy", Metric("reconstruction", TITLE, lambda outputs: outputs.mse.mean()))
    with pytest.raises(UserError, match=r"'toy' returned a Tensor.*float\(value\)"):
        diagnose(run)


def test_a_metric_of_maps_may_apply_to_an_unsplit_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "toy", Metric("split", "number of components", lambda outputs: outputs.split))
    assert diagnose(run)["split"] == {"toy": 1}
    page = write_report(run).read_text(encoding="utf-8")
    assert "<th>number of components</th><td>1</td>" in page
    assert "<th>the split is</th><td>not applicable</td>" in page


# ---------------------------------------------------------------- some of the metrics


def test_only_chosen_metrics_are_measured(run: Run) -> None:
    result = diagnose(run, metrics=["kl", "mse"])
    assert list(result) == ["model", "data", "reconstruction", "latent", "cautions"]
    assert (list(result["reconstruction"]), list(result["latent"])) == (["mse"], ["kl"])
    text = evaluation_table(result)
    assert text.count("not measured") == len(METRICS) - 2
    with pytest.raises(UserError, match="did you mean 'mse'"):
        diagnose(run, metrics=["msee"])


def test_metrics_not_measured_again_are_kept_if_model_images_and_seed_are_the_same(run: Run) -> None:
    full = diagnose(run)
    assert diagnose(run, metrics=["mse"]) == full
    assert list(diagnose(run, seed=1, metrics=["mse"])) == ["model", "data", "reconstruction", "cautions"]
    assert list(diagnose(run, limit=30, metrics=["kl"])) == ["model", "data", "latent", "cautions"]


def test_metrics_that_an_evaluation_lacks_are_measured_for_a_report(run: Run) -> None:
    full = diagnose(run, limit=30, seed=5)
    (run.path / "evaluation.json").unlink()
    diagnose(run, limit=30, seed=5, metrics=["mse_sampled"])
    assert cached_or_diagnose(run) == full  # of as many images, with the same seed


def test_some_metrics_are_reported_where_the_images_are_gone(tmp_path: Path, trained: Path) -> None:
    data = tmp_path / "images.npz"
    data.write_bytes((trained.parent / "images.npz").read_bytes())
    run = make(tmp_path / "run", data)
    diagnose(run, metrics=["mse"])
    data.unlink()
    page = write_report(Run(run.path)).read_text(encoding="utf-8")
    assert "<th>KL, nats an image</th><td>not measured</td>" in page
    assert "test MSE, decoded from the posterior mean" in page


def test_the_command_line_refuses_an_unknown_metric(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run.path), "--metrics", "msee"]) == 2
    assert "no metric is called 'msee'" in capsys.readouterr().err

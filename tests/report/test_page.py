"""Reports about one run and about several: self-contained, complete, and right about the model that they show."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from splitvae.errors import UserError
from splitvae.evaluation.diagnostics import evaluate
from splitvae.evaluation.protocols import Protocol
from splitvae.evaluation.tables import evaluation_table
from splitvae.features.base import ModuleFeatures
from splitvae.figures.io import read_fingerprint
from splitvae.presets.build import build_vae
from splitvae.report.page import render_page, write_report
from splitvae.runs import Run
from splitvae.utils.files import read_json, write_json
from splitvae.utils.machine import describe_device
from splitvae.utils.text import shorten_path

SPLIT_FIGURES = 9  # of a split run; an unsplit one lacks three


class Page(HTMLParser):
    """Checks that elements close in order, and collects sources, links and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def copy_run(run: Run, path: Path) -> Run:
    return Run(shutil.copytree(run.path, path))


def test_a_report_fetches_and_executes_nothing(split_run: Run) -> None:
    path = split_run.path / "report.html"
    page = Page(path)
    assert page.tags.count("img") == SPLIT_FIGURES + 1
    inside = ("data:image/png;base64,", "data:image/webp;base64,", "#part-")
    assert all(source.startswith(inside) for source in page.sources)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?:", path.read_text(encoding="utf-8"))


def test_a_report_names_the_model_its_images_and_its_measurements(split_run: Run) -> None:
    page, evaluation = Page(split_run.path / "report.html"), split_run.evaluation
    split_type = evaluation["split"]["verdict"]
    for words in (
        "run & <i>",
        "Split-VAE",
        shorten_path(str(split_run.config.data.source)),
        "5 epochs",
        "β = 2.5",
        split_type,
        torch.__version__,
    ):
        assert words in page.text
    assert f"{evaluation['reconstruction']['mse']['value']:#.3g}" in page.text
    assert f"{split_run.vae.counts()['total']:,}" in page.text
    assert "i" not in page.tags  # names are text, never markup


def test_a_page_names_no_folder_of_this_machine(split_run: Run, plain_run: Run, tmp_path: Path) -> None:
    """A report is sent to others. The images lie in a folder that is not below the working folder."""
    folder = str(Path(str(split_run.config.data.source)).parents[1])
    pages = [split_run.path / "report.html", write_report([split_run, str(plain_run.path)], tmp_path / "comparison.html")]
    for path in pages:
        assert "c.npz" in Page(path).text and folder not in path.read_text(encoding="utf-8")
        assert str(split_run.path.parent) not in path.read_text(encoding="utf-8")
    assert folder not in evaluation_table(split_run.evaluation)


def test_an_unsplit_model_is_reported_without_a_split(plain_run: Run) -> None:
    page = Page(plain_run.path / "report.html")
    assert "not applicable" in page.text
    assert page.tags.count("img") == SPLIT_FIGURES - 3
    assert not (plain_run.path / "figures" / "maps.png").exists()


def test_figures_and_numbers_are_made_again_when_the_model_changed(plain_run: Run, tmp_path: Path) -> None:
    run = copy_run(plain_run, tmp_path / "run")
    torch.manual_seed(5)
    run.save_model(build_vae(run.config))
    write_report([run])
    assert run.evaluation["reconstruction"]["mse"] != plain_run.evaluation["reconstruction"]["mse"]
    assert read_fingerprint(run.path / "figures" / "samples.png") == run.vae.fingerprint()


def test_a_run_whose_images_are_gone_is_reported_from_what_it_holds(
    split_run: Run, make_run: Callable[..., Run], noise_file: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone.npz"
    gone.write_bytes(noise_file.read_bytes())
    unmeasured = make_run(tmp_path / "unmeasured", gone)
    measured = copy_run(split_run, tmp_path / "measured")
    measured.reconfigure(measured.config.override(data=str(gone)), measured.vae.counts())
    gone.unlink()
    page = Page(write_report(Run(measured.path)))
    assert page.tags.count("img") == SPLIT_FIGURES + 1
    assert "Nothing was measured" not in page.text
    page = Page(write_report(Run(unmeasured.path)))
    assert "Nothing was measured: " in page.text
    assert "not measured" in page.text


def test_a_run_on_images_from_memory_is_reported_without_them(make_run: Callable[..., Run], tmp_path: Path) -> None:
    page = Page(write_report([make_run(tmp_path / "run", None)]))
    assert "images from memory" in page.text
    assert page.tags.count("img") == 4  # components, samples, maps, curves


def test_a_single_test_image_is_enough(make_run: Callable[..., Run], tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", np.random.default_rng(0).integers(0, 256, (12, 16, 16), np.uint8))
    run = make_run(tmp_path / "run", tmp_path / "few.npy")
    assert len(run.images("test")) == 1
    page = Page(write_report(run))
    assert page.tags.count("img") == SPLIT_FIGURES
    assert "nan" not in page.text


def test_several_runs_are_compared_in_columns_with_their_differences_marked(
    split_run: Run, plain_run: Run, make_run: Callable[..., Run], noise_file: Path, tmp_path: Path
) -> None:
    runs = [split_run, plain_run, make_run(tmp_path / "third", noise_file, split=3)]
    path = write_report(runs, tmp_path / "new" / "comparison.html")
    text = path.read_text(encoding="utf-8")
    marked = re.findall(r'<tr class="differs"><th>(\w+)</th>', text)
    assert marked == ["split", "beta"]
    assert Page(path).tags.count("img") == 1 + 3 + 2  # curves, samples, and components of the two that are split
    assert "<tr><th>the split is</th><td>" in text and "<td>not applicable</td>" in text


def test_the_best_of_several_runs_is_bold(split_run: Run, plain_run: Run, tmp_path: Path) -> None:
    better = copy_run(plain_run, tmp_path / "better")
    evaluation = better.evaluation
    evaluation["reconstruction"]["mse"] = {"value": 0.0001, "deviation": 0.00001}
    write_json(better.path / "evaluation.json", evaluation)
    text = write_report([split_run, better], tmp_path / "comparison.html").read_text(encoding="utf-8")
    (row,) = re.findall(r"<tr><th>test MSE, decoded from the posterior mean</th>(.*?)</tr>", text)
    assert [cell.startswith("<td><b>") for cell in re.findall(r"<td>.*?</td>", row)] == [False, True]
    (row,) = re.findall(r"<tr><th>KL, nats an image</th>(.*?)</tr>", text)
    assert "<b>" not in row  # of which neither is better


def test_nothing_is_best_of_runs_that_were_measured_on_other_images(plain_run: Run, tmp_path: Path) -> None:
    other = copy_run(plain_run, tmp_path / "other")
    evaluation = other.evaluation
    evaluation["reconstruction"]["mse"] = {"value": 0.0001, "deviation": 0.00001}
    evaluation["data"]["sha256"] = "0123456789abcdef"
    write_json(other.path / "evaluation.json", evaluation)
    text = write_report([plain_run, other], tmp_path / "comparison.html").read_text(encoding="utf-8")
    (row,) = re.findall(r"<tr><th>test MSE, decoded from the posterior mean</th>(.*?)</tr>", text)
    assert "<b>" not in row and "were measured on different images" in text


def test_distances_of_a_protocol_of_ones_own_are_reported(split_run: Run, tmp_path: Path) -> None:
    run = copy_run(split_run, tmp_path / "run")
    quarters = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
    features = ModuleFeatures(quarters, "quarters", shape=run.vae.shape)
    evaluate(run, features, [Protocol("mine", "Ten images & no more.", generated=10)], "prior", draws=())
    for runs in ([run], [run, copy_run(run, tmp_path / "other")]):
        text = write_report(runs, tmp_path / "page.html").read_text(encoding="utf-8")
        assert "protocol mine</h2>" in text and "Ten images &amp; no more." in text


def test_a_report_says_where_its_run_comes_from_and_what_to_cite(split_run: Run, tmp_path: Path) -> None:
    copy = copy_run(split_run, tmp_path / "copy")
    config = read_json(copy.path / "config.json")
    write_json(copy.path / "config.json", config | {"images": "0123456789abcdef"})
    page = Page(write_report(Run(copy.path)))
    for words in ("0123456789abcdef", describe_device(), torch.__version__, "splitvae train", "asperti2022split"):
        assert words in page.text
    assert "{'splitvae'" not in page.text
    assert [source for source in page.sources if source.startswith("#")]  # the contents


def test_a_report_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="needs a run"):
        write_report([])


def test_the_title_of_a_page_is_text_and_its_body_is_markup(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(render_page("a <b> $c", "<p>5 $ d</p>"), encoding="utf-8")
    page = Page(tmp_path / "page.html")
    assert "a <b> $c" in page.text and "5 $ d" in page.text
    assert page.tags.count("p") == 1 and page.tags.count("b") == 0

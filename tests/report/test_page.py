"""What figures and reports show."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from splitvae import figures
from splitvae.config import Config
from splitvae.errors import UserError
from splitvae.figures import grid as sheets
from splitvae.models.codes import Codes
from splitvae.models.split import Canvas, compose
from splitvae.presets.build import vae_of
from splitvae.presets.registry import configure
from splitvae.report.page import write
from splitvae.report.sections import command
from splitvae.runs import Run

HISTORY = [
    {
        "epoch": e,
        "step": 10 * e,
        "images_per_second": 100.0,
        "seconds": 2.0,
        "lr": 1e-3,
        "loss": 5.0 - e,
        "mse": 0.1 / e,
    }
    | {"rec": 3.0, "kl": float(e), "beta": 4.0, "v": 1 / e, "beta_v": 4 / e, "grad_norm": 1.0}
    | {"val_loss": 6.0 - e, "val_mse": 0.2 / e, "val_kl": e + 0.5}
    for e in range(1, 6)
]
ALL = ["samples", "components", "maps", "curves", "components-reconstructed", "reconstructions", "interpolations"]
ALL += ["traversals", "latents"]


def canvas(n: int, split: int, channels: int = 1) -> Canvas:
    logits = torch.randn(n, split * channels + split - 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return compose(logits, split)


def pixels(figure: figures.Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(figures.png(figure))).convert("RGB"))


def tile(image: Tensor, scale: int) -> np.ndarray:
    """An image (C, H, W) as it should appear on the page."""
    page = (image * 255).round().byte().expand(3, -1, -1).permute(1, 2, 0).numpy()
    return page.repeat(scale, 0).repeat(scale, 1)


# ---------------------------------------------------------------- figures


@pytest.mark.parametrize(("channels", "side", "scale"), [(1, 16, 6), (3, 32, 3), (3, 64, 2), (1, 128, 1)])
def test_a_sheet_shows_every_pixel_as_a_square_of_exactly_its_value(channels: int, side: int, scale: int) -> None:
    images = torch.rand(12, channels, side, side, generator=torch.Generator().manual_seed(0))
    page, step = pixels(figures.sheet(images, columns=10)), side * scale + sheets.GAP
    assert page.shape == (2 * step - sheets.GAP, 10 * step - sheets.GAP, 3)
    for i, image in enumerate(images):
        y, x = i // 10 * step, i % 10 * step
        assert np.array_equal(page[y : y + side * scale, x : x + side * scale], tile(image, scale))
    assert (page[step - sheets.GAP : step] == 255).all()


@pytest.mark.parametrize(("split", "originals", "rows"), [(1, False, 1), (2, False, 4), (2, True, 5), (3, False, 7)])
def test_components_are_rows_of_maps_images_and_the_blend_last(split: int, originals: bool, rows: int) -> None:
    painted = canvas(3, split)
    page = pixels(figures.components(painted, painted.image if originals else None))
    step = 96 + sheets.GAP
    assert page.shape[0] == rows * step - sheets.GAP
    assert np.array_equal(page[-96:, -96:], tile(painted.image[-1], 6))
    first = painted.image if originals or split == 1 else painted.masks[:, 0]
    assert np.array_equal(page[:96, -96:], tile(first[-1], 6))


def test_labels_are_whole() -> None:
    page = pixels(figures.components(canvas(2, 3)))
    assert (page[:, :4] == 255).all()  # nothing touches the left edge
    assert (page[:, 4:40] < 128).any()


def test_maps_are_gray_as_they_are_and_an_unsplit_model_has_none() -> None:
    painted = canvas(4, 2)
    assert np.array_equal(pixels(figures.maps(painted))[:96, :96], tile(painted.masks[0, 0], 6))
    assert pixels(figures.maps(canvas(4, 3))).shape[1] == 9 * 100 - sheets.GAP
    with pytest.raises(UserError, match="--split 2"):
        figures.maps(canvas(4, 1))


def test_reconstructions_stand_below_their_originals() -> None:
    painted, x = canvas(20, 1), torch.rand(20, 1, 16, 16)
    page = pixels(figures.reconstructions(x, painted))
    assert np.array_equal(page[:96, -96:], tile(x[9], 6))
    assert np.array_equal(page[100:196, -96:], tile(painted.image[9], 6))
    assert np.array_equal(page[-96:, -96:], tile(painted.image[19], 6))


def test_interpolations_end_at_the_two_codes() -> None:
    vae = vae_of(Config(shape=(1, 16, 16), latent_dim=3, width=4, scales=2, embedding=8)).eval()
    pairs = torch.randn(2, 2, 3)
    page = pixels(figures.interpolations(vae, pairs)).astype(int)
    with torch.no_grad():
        ends = vae.decode(pairs[0]).image
    assert np.abs(page[:96, :96] - tile(ends[0], 6)).max() <= 1  # a batch of another size may round otherwise
    assert np.abs(page[:96, -96:] - tile(ends[1], 6)).max() <= 1


def test_traversals_order_latents_by_their_kl() -> None:
    vae = vae_of(Config(shape=(1, 16, 16), latent_dim=3, width=4, scales=2, embedding=8)).eval()
    mean = torch.randn(50, 3) * torch.tensor([0.1, 2.0, 1.0])
    figure = figures.traversals(vae, Codes(mean, torch.zeros(50, 3)), rows=2)
    labels = [text.get_text() for text in figure.texts]
    assert [label.split()[0] for label in labels if "nats" in label] == ["$z_{1}$", "$z_{2}$"]
    assert {"−3", "0", "+3"} <= set(labels)


def test_curves_take_runs_alone_or_together_and_histories_without_validation() -> None:
    bare = [{key: value for key, value in row.items() if not key.startswith("val_")} for row in HISTORY]
    assert [len(axes.lines) for axes in figures.curves(HISTORY).axes] == [2, 1, 2, 2, 2, 1]
    assert [len(axes.lines) for axes in figures.curves(bare).axes] == [1, 1, 1, 1, 2, 1]
    assert [len(axes.lines) for axes in figures.curves({"a": HISTORY, "b": bare}).axes] == [3, 2, 3, 3, 4, 2]
    for history in ([], HISTORY[:1], [HISTORY[0] | {"lr": 0.0, "kl": None}]):
        assert pixels(figures.curves(history)).shape == (800, 1440, 3)


def test_curves_show_the_terms_of_groups_and_of_players() -> None:
    groups = [row | {"kl_content": 9.0, "kl_style": 3.0} for row in HISTORY]
    named = {axes.get_title(loc="left"): axes for axes in figures.curves(groups).axes}
    assert [text.get_text() for text in named["KL, nats"].get_legend().get_texts()] == [
        "content, a group",
        "style, an image",
    ]
    players = [row | {"kl_real": 9.0, "kl_rec": 8.0, "kl_fake": 12.0, "alpha": 0.25, "beta": 1.0} for row in HISTORY]
    named = {axes.get_title(loc="left"): axes for axes in figures.curves(players).axes}
    assert len(named["KL, nats"].lines) == 3
    assert len(named["weights"].lines) == 2
    both = figures.curves({"a": groups, "b": HISTORY})
    assert len(both.axes[2].lines) == 2  # a run without those terms has none to show


def test_the_spectrum_has_a_bar_a_latent_sorted_by_kl() -> None:
    codes = Codes(torch.randn(100, 7) * torch.arange(7), torch.zeros(100, 7))
    heights = [bar.get_height() for bar in figures.latent_spectrum(codes).axes[0].patches]
    assert len(heights) == 7
    assert heights == sorted(heights, reverse=True)


def test_a_saved_figure_names_its_model(tmp_path: Path) -> None:
    path = figures.save(figures.sheet(torch.rand(2, 1, 16, 16)), tmp_path / "new" / "a.png", "abc")
    assert figures.drawn_by(path) == "abc"
    assert figures.drawn_by(tmp_path / "none.png") == ""
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


# ---------------------------------------------------------------- a run's figures and report


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random images in a file whose name is a nuisance to HTML."""
    path = tmp_path_factory.mktemp("data") / "a<b>&'c.npz"
    rng = np.random.default_rng(0)
    np.savez(
        path, x_train=rng.integers(0, 256, (30, 16, 16), np.uint8), x_test=rng.integers(0, 256, (24, 16, 16), np.uint8)
    )
    return path


def make(path: Path, data: Path | None, split: int = 2, **overrides: object) -> Run:
    torch.manual_seed(split)
    source = None if data is None else str(data)
    small = {"latent_dim": 4, "width": 4, "scales": 2, "embedding": 8} | overrides
    config = configure("digits-svae", data=source, split=split, **small)
    vae = vae_of(config).eval()
    run = Run.begin(path, config, vae.counts())
    run.save_model(vae)
    (path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in HISTORY))
    return run


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


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Run:
    """A split run with figures and a report."""
    run = make(tmp_path_factory.mktemp("split") / "run & <i>", data, beta=2.5)
    figures.draw(run, {"gmm": torch.randn(20, 4)})
    write(run)
    return run


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Run:
    """An unsplit run with figures and a report."""
    run = make(tmp_path_factory.mktemp("plain") / "plain", data, split=1)
    write([run])
    return run


def copied(run: Run, path: Path) -> Run:
    shutil.copytree(run.path, path)
    return Run(path)


def test_draw_writes_every_figure_of_the_present_model(split: Run) -> None:
    files = list((split.path / "figures").iterdir())
    assert {file.name for file in files} == {f"{name}.png" for name in [*ALL, "samples-gmm"]}
    assert {figures.drawn_by(file) for file in files} == {split.vae.fingerprint()}


def test_samples_and_images_follow_the_seed(split: Run, tmp_path: Path) -> None:
    run = copied(split, tmp_path / "run")
    figures.draw(run, seed=1)
    shown = np.asarray(Image.open(run.path / "figures" / "samples.png").convert("RGB"))
    assert np.array_equal(shown, pixels(figures.sheet(run.vae.sample(100, 1).image)))
    for name, same in (("samples", False), ("reconstructions", False), ("curves", True)):
        drawn = [each.path / "figures" / f"{name}.png" for each in (split, run)]
        assert (drawn[0].read_bytes() == drawn[1].read_bytes()) == same


def test_a_report_fetches_and_executes_nothing(split: Run) -> None:
    path = split.path / "report.html"
    page = Page(path)
    assert page.tags.count("img") == len(ALL) + 1
    assert all(source.startswith(("data:image/png;base64,", "data:image/webp;base64,")) for source in page.sources)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?:", path.read_text(encoding="utf-8"))


def test_a_report_says_what_was_trained_on_what_and_what_came_out(split: Run) -> None:
    page, evaluation = Page(split.path / "report.html"), split.evaluation
    verdict = evaluation["split"]["verdict"]
    for words in ("run & <i>", "Split-VAE", split.config.data, "5 epochs", "β = 2.5", verdict, torch.__version__):
        assert words in page.text
    assert f"{evaluation['reconstruction']['mse']['value']:#.3g}" in page.text
    assert f"{split.vae.counts()['total']:,}" in page.text
    assert "i" not in page.tags  # names are text, never markup


def test_an_unsplit_model_is_reported_without_a_split(plain: Run) -> None:
    page = Page(plain.path / "report.html")
    assert "not applicable" in page.text
    assert page.tags.count("img") == len(ALL) - 3
    assert not (plain.path / "figures" / "maps.png").exists()


def test_figures_and_numbers_are_made_anew_when_the_model_changed(plain: Run, tmp_path: Path) -> None:
    run = copied(plain, tmp_path / "run")
    torch.manual_seed(5)
    run.save_model(vae_of(run.config))
    write([run])
    assert run.evaluation["reconstruction"]["mse"] != plain.evaluation["reconstruction"]["mse"]
    assert figures.drawn_by(run.path / "figures" / "samples.png") == run.vae.fingerprint()


def test_a_run_whose_images_are_gone_is_reported_from_what_it_holds(split: Run, data: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.npz"
    gone.write_bytes(data.read_bytes())
    bare = make(tmp_path / "bare", gone)
    kept = copied(split, tmp_path / "kept")
    kept.reconfigure(replace(kept.config, data=str(gone)), kept.vae.counts())
    gone.unlink()
    page = Page(write(Run(kept.path)))
    assert page.tags.count("img") == len(ALL) + 1
    assert "Nothing was measured" not in page.text
    page = Page(write(Run(bare.path)))
    assert "Nothing was measured: " in page.text
    assert "not measured" in page.text


def test_a_run_on_images_from_memory_is_reported_without_them(tmp_path: Path) -> None:
    page = Page(write([make(tmp_path / "run", None)]))
    assert "images from memory" in page.text
    assert page.tags.count("img") == 4  # components, samples, maps, curves


def test_a_single_test_image_is_enough(tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", np.random.default_rng(0).integers(0, 256, (12, 16, 16), np.uint8))
    run = make(tmp_path / "run", tmp_path / "few.npy")
    assert len(run.images("test")) == 1
    page = Page(write(run))
    assert page.tags.count("img") == len(ALL)
    assert "nan" not in page.text


def test_several_runs_are_compared_in_columns_with_their_differences_marked(
    split: Run, plain: Run, data: Path, tmp_path: Path
) -> None:
    path = write([split, plain, make(tmp_path / "third", data, split=3)], tmp_path / "new" / "comparison.html")
    text = path.read_text(encoding="utf-8")
    marked = re.findall(r'<tr class="differs"><th>(\w+)</th>', text)
    assert marked == ["split", "beta"]
    assert Page(path).tags.count("img") == 1 + 3 + 2  # curves, samples, and components of the two that are split
    assert "<tr><th>the split is</th><td>" in text and "<td>not applicable</td>" in text


def test_a_report_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="needs a run"):
        write([])


def test_a_command_names_the_preset_and_what_differs_from_it() -> None:
    config = configure("mnist-svae", data="my data", latent_dim=16, mirror=True, shape=(1, 64, 64))
    expected = "splitvae train mnist-svae --data 'my data' --shape 1 64 64 --mirror --latent-dim 16 --out runs/first"
    assert command(config, "runs/first") == expected
    assert command(configure("cifar10-svae", mirror=False), "x") == "splitvae train cifar10-svae --no-mirror --out x"
    assert command(Config(data="photos", split=3), "x") == "splitvae train --data photos --split 3 --out x"

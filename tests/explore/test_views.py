"""What the page shows, computed without a browser."""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.errors import UserError
from splitvae.evaluation.informative_latents import rank_by_effect
from splitvae.explore.session import Session
from splitvae.explore.views import (
    Choice,
    encode_choice,
    find_picture,
    show_between,
    show_latent,
    show_picture,
    show_swap,
)
from splitvae.metrics.latents import kl_by_dimension
from splitvae.models.codes import Codes, encode
from splitvae.models.split import Canvas
from splitvae.runs import Run
from splitvae.samplers.conditional_flow import ConditionalFlow
from splitvae.samplers.gaussian_mixture import GaussianMixture
from splitvae.utils.files import read_json, write_json


def images_of(html: str) -> dict[str, np.ndarray]:
    """The images of a view by their captions; the large one is "large"."""
    found = {}
    for kind, source, caption in re.findall(
        r'<figure class="(.*?)"><img src="data:image/png;base64,(.*?)" alt="(.*?)"', html
    ):
        found["large" if kind else caption] = np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))) / 255
    return found


def assert_shown(shown: np.ndarray, image: torch.Tensor) -> None:
    """Checks that a gray image (1, H, W) is shown, rounded to bytes."""
    np.testing.assert_allclose(shown, image[0], atol=0.5 / 255 + 1e-6)


def canvas_of(session: Session, z: torch.Tensor) -> Canvas:
    with torch.no_grad():
        return session.vae.decode(z[None])


def test_sliders_are_the_latents_of_largest_kl_first(session: Session) -> None:
    codes = encode(session.vae, session.images)
    assert len(session.images) == 24 and session.images.part == "test"
    assert session.sliders == kl_by_dimension(codes.mean, codes.logvar).argsort(descending=True).tolist()
    assert session.slider_range(0) == pytest.approx((-4, 4, 0.01))


def test_a_redraw_shows_the_blend_the_map_and_both_components(session: Session) -> None:
    base = torch.randn(4)
    values = [0.5, -1.0, 2.0, 0.0]
    z = base.clone()
    z[session.sliders] = torch.tensor(values)
    canvas = canvas_of(session, z)
    shown = images_of(show_latent(session, base.tolist(), [*values, 9.0, 9.0], "x2"))
    assert list(shown) == ["large", "blend", "map", "x̂₁", "x̂₂"]
    assert_shown(shown["blend"], canvas.image[0])
    assert_shown(shown["map"], canvas.masks[0, 0])
    for name, k in (("x̂₁", 0), ("x̂₂", 1), ("large", 1)):
        assert_shown(shown[name], canvas.images[0, k])
    mixes = {images_of(show_latent(session, base.tolist(), values, "mix", seed))["large"].tobytes() for seed in range(8)}
    assert mixes == {shown["x̂₁"].tobytes(), shown["x̂₂"].tobytes()}


def test_the_png_to_keep_holds_every_image_enlarged(session: Session) -> None:
    html = show_latent(session, [0.0] * 4, [], "blend")
    (link,) = re.findall(r'href="data:image/png;base64,(.*?)" download="splitvae-blend.png"', html)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(link))))
    assert sheet.shape == (192, 5 * 198 - 6)
    np.testing.assert_array_equal(sheet[::12, 198 * 2 :: 12][:, :16] / 255, images_of(html)["map"])


def test_a_picture_is_encoded_and_split(session: Session, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    html = show_picture(session, Choice(str(tmp_path / "mine.png")), "blend")
    with torch.no_grad():
        canvas = session.vae.reconstruct(torch.from_numpy(pixels)[None, None] / 255)
    shown = images_of(html)
    np.testing.assert_array_equal(shown["picture"] * 255, pixels)
    assert_shown(shown["blend"], canvas.image[0])
    assert_shown(shown["map"], canvas.masks[0, 0])
    error = (canvas.image - torch.from_numpy(pixels) / 255).square().mean()
    assert f"{error:.4f}" in html and "mine.png (16 x 16 pixels)" in html
    inverted = images_of(show_picture(session, Choice(str(tmp_path / "mine.png"), invert=True), "blend"))
    np.testing.assert_array_equal(inverted["picture"] * 255, 255 - pixels)


def test_mistakes_of_a_visitor_are_sentences_on_the_page(session: Session, tmp_path: Path) -> None:
    (tmp_path / "<i>.txt").write_text("no image")
    html = show_picture(session, Choice(str(tmp_path / "<i>.txt")), "blend")
    sentence = "&lt;i&gt;.txt is no image that can be read; choose a PNG, JPEG, WebP, GIF, BMP or TIFF file."
    assert html == f'<p class="sv-error" role="alert">{sentence}</p>'
    answer = "There is no image 24; there are 24, numbered from 0 to 23."
    assert answer in show_picture(session, Choice(None, 24), "blend")
    with pytest.raises(UserError, match="there is no image -1"):
        encode_choice(session, Choice(None, -1))
    assert "no content and style" in show_swap(session, (Choice(None), Choice(None)), "blend")


def test_between_two_pictures_latents_are_on_a_line(session: Session) -> None:
    pair = Choice(None, 2), Choice(None, 5)
    shown = images_of(show_between(session, pair, 0.25, 3, "blend"))
    assert list(shown) == ["large", "first", "0%", "50%", "100%", "second"]
    a, b = (encode(session.vae, session.images).mean[i] for i in (2, 5))
    for name, weight in (("0%", 0), ("50%", 0.5), ("100%", 1), ("large", 0.25)):
        assert_shown(shown[name], canvas_of(session, torch.lerp(a, b, weight)).image[0])
    np.testing.assert_array_equal(shown["second"] * 255, session.images.pixels[5, 0])


def test_content_and_style_are_swapped(grouped_session: Session) -> None:
    session = grouped_session
    shown = images_of(show_swap(session, (Choice(None, 1), Choice(None, 3)), "blend"))
    first, second = encode(session.vae, session.images).mean[[1, 3]]
    assert_shown(shown["large"], canvas_of(session, torch.cat((second[:2], first[2:]))).image[0])
    assert_shown(shown["the reverse"], canvas_of(session, torch.cat((first[:2], second[2:]))).image[0])
    assert not np.allclose(shown["large"], shown["the reverse"], atol=1 / 255)


def test_independent_styles_are_swapped_once_a_probe_has_fitted_their_flow(
    grouped_session: Session, tmp_path: Path
) -> None:
    pair = Choice(None, 1), Choice(None, 3)
    plain = images_of(show_swap(grouped_session, pair, "blend"))
    run = Run(shutil.copytree(grouped_session.run.path, tmp_path / "run"))
    means = encode(run.vae, run.images("test")).mean
    many = means.repeat(10, 1) + 0.1 * means.std(0) * torch.randn(10 * len(means), 4)
    flow = ConditionalFlow(width=8, depth=1, epochs=10, batch=20, lr=0.01).fit(Codes(many, None))
    flow.save(run.path / "samplers" / "conditional-flow-clean", model=run.vae.fingerprint())
    session = Session(run)
    shown = images_of(show_swap(session, pair, "blend"))
    u, content = flow.separate(encode(session.vae, session.images).mean[[3, 1]])
    for caption, z in zip(("large", "the reverse"), flow.join(u, content.flip(0)), strict=True):
        assert_shown(shown[caption], canvas_of(session, z).image[0])
    assert not np.allclose(shown["large"], plain["large"], atol=1 / 255)

    accuracies = {name: {"means": {"test": test}} for name, test in (("style", 0.135), ("independent style", 0.228))}
    result = {"model": {"fingerprint": run.vae.fingerprint()}, "codes": accuracies}
    write_json(run.path / "probes.json", result)  # the style itself tells less of the labels, and is swapped
    assert np.allclose(images_of(show_swap(Session(run), pair, "blend"))["large"], plain["large"], atol=1 / 255)
    write_json(run.path / "probes.json", result | {"model": {"fingerprint": "another model"}})
    assert Session(run).flow is not None


def test_samplers_are_the_prior_and_those_fitted_to_this_model(session: Session) -> None:
    run = session.run
    mixture = GaussianMixture(components=2, covariance="full").fit(encode(session.vae, run.images("train")))
    mixture.save(run.path / "samplers" / "gmm-clean", model=session.vae.fingerprint())
    mixture.save(run.path / "samplers" / "gmm-old", model="another model")
    mixture.save(run.path / "samplers" / "gmm-paper", model=session.vae.fingerprint())
    file = run.path / "samplers" / "gmm-paper" / "sampler.json"
    write_json(file, read_json(file) | {"layout": mixture.layout + 1})  # one of another version
    assert session.sampler_names == ["prior", "gmm-clean"]
    assert torch.equal(session.draw_latent("gmm-clean", 3), mixture.sample(1, 3)[0])
    centre = mixture.sample(1000, 0).mean(0)
    torch.testing.assert_close(session.draw_latent("gmm-clean", 3, 0), centre)
    torch.testing.assert_close(session.draw_latent("gmm-clean", 3, 0.5), (centre + mixture.sample(1, 3)[0]) / 2)
    prior = torch.randn(1, 4, generator=torch.Generator().manual_seed(7))[0]
    torch.testing.assert_close(session.draw_latent("prior", 7, 1.5), 1.5 * prior)
    with pytest.raises(UserError, match="'gmm-clean'"):
        session.draw_latent("gmm-claen")


def test_sliders_show_what_is_drawn(session: Session) -> None:
    placed = session.place_on_sliders(torch.tensor([9.0, -9.0, 0.123, 1.0]))
    torch.testing.assert_close(placed, torch.tensor([4.0, -4.0, 0.12, 1.0]))


def test_a_run_without_its_data_is_explored_by_the_effect_of_latents(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    session = Session(make_run(tmp_path / "run", None))
    assert not session.has_data
    assert session.latents.order == rank_by_effect(session.vae).order and session.latents.unit == "of effect"
    assert "Sample of the model, number 3." in find_picture(session, Choice(None, 3)).note
    with torch.no_grad():  # a latent that the decoder ignores is the last, whatever its number
        session.vae.decoder.embed.weight[:, 2] = 0
    assert rank_by_effect(session.vae).order[-1] == 2


def test_codes_without_noise_have_sliders_of_their_own_range(
    tmp_path: Path, make_run: Callable[..., Run], noise_file: Path
) -> None:
    session = Session(make_run(tmp_path / "run", noise_file, latent="deterministic"))
    means = encode(session.vae, session.images).mean
    low, high, step = session.slider_range(1)
    centre, deviation = float(means[:, 1].mean()), float(means[:, 1].std(correction=0))
    assert low == pytest.approx(centre - 4 * deviation, abs=step) and high == pytest.approx(
        centre + 4 * deviation, abs=step
    )
    assert 400 <= round((high - low) / step) < 4010

"""The page in a real browser: its controls redraw its images, on a phone too, and it asks no other machine for anything."""

from __future__ import annotations

import base64
import io
import logging.config
import socket
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from splitvae.explore.server import serve
from splitvae.explore.session import Session


def large_image(source: str) -> np.ndarray:
    """The pixels of an image in an address that holds it."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition("base64,")[2]))))


def test_the_page_redraws_what_its_controls_say(
    session: Session,
    browser: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("gradio")  # of the extra explore
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(tmp_path / "photo.png")
    (tmp_path / "bomb.png").write_bytes(b"not at all an image")

    # The server's logging closes all handlers of the process, and that of absl, which Keras brings, the stream of pytest.
    monkeypatch.setattr(logging.config, "_clearExistingHandlers", lambda: None)
    connect, reached = socket.socket.connect, []
    monkeypatch.setattr(socket.socket, "connect", lambda own, to: reached.append(to) or connect(own, to))

    def source(view: str) -> str:
        return f"document.querySelector('{view} .sv-large img')?.src"

    def expected(column: int | None, z: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            canvas = session.vae.decode(z[None])
        image = canvas.image[0] if column is None else canvas.images[0, column]
        return (255 * image[0]).round().byte().numpy()

    def drive(page: Any) -> None:
        address = f"http://127.0.0.1:{page.server_port}"
        with urllib.request.urlopen(address) as answer:
            assert "default-src 'self'" in answer.headers["content-security-policy"]
        browser.size(400, 800, phone=True)
        browser.open(address)
        first = browser.wait(source("#sv-latent"))
        z = session.place_on_sliders(session.draw_latent("prior", 0))
        np.testing.assert_array_equal(large_image(first), expected(None, z))

        slider = "document.querySelector('#sv-z1 input[type=range]')"
        browser.wait(f"!!{slider}")  # which may appear after the picture
        move = f"{slider}.value = 2.5; {slider}.dispatchEvent(new Event('input', {{bubbles: true}}))"
        # A control that is drawn may not listen yet, so that the first movement is repeated.
        moved = browser.wait(f"{move}; {source('#sv-latent')}", lambda now: now not in (None, first))
        z[session.sliders[1]] = 2.5
        np.testing.assert_array_equal(large_image(moved), expected(None, z))
        browser.wait("[...document.querySelectorAll('input[type=radio]')].some(e => e.value === 'x2')")
        browser.run("[...document.querySelectorAll('input[type=radio]')].find(e => e.value === 'x2').click()")
        component = browser.wait(source("#sv-latent"), lambda now: now != moved)
        np.testing.assert_array_equal(large_image(component), expected(1, z))
        browser.wait("!!document.querySelector('#sv-draw')")
        browser.run("document.querySelector('#sv-draw').click()")
        drawn = browser.wait(source("#sv-latent"), lambda now: now != component)
        z = session.place_on_sliders(session.draw_latent("prior", 1))
        np.testing.assert_array_equal(large_image(drawn), expected(1, z))
        assert browser.run("document.documentElement.scrollWidth") == 400

        browser.wait("[...document.querySelectorAll('[role=tab]')].some(e => e.innerText === 'Picture')")
        browser.run("[...document.querySelectorAll('[role=tab]')].find(e => e.innerText === 'Picture').click()")
        before = browser.wait(source("#sv-picture"))
        browser.wait("!!document.querySelector('#sv-file-mine input[type=file]')")
        browser.upload("#sv-file-mine input[type=file]", tmp_path / "photo.png")
        browser.wait(source("#sv-picture"), lambda now: now != before)
        assert "photo.png (60 x 40 pixels)" in browser.run("document.querySelector('#sv-picture').innerText")
        browser.wait("!!document.querySelector('#sv-move')")
        browser.run("document.querySelector('#sv-move').click()")
        browser.wait(source("#sv-latent"), lambda now: now != drawn)
        browser.run("[...document.querySelectorAll('[role=tab]')].find(e => e.innerText === 'Between').click()")
        browser.wait("!!document.querySelector('#sv-file-first input[type=file]')")
        browser.upload("#sv-file-first input[type=file]", tmp_path / "bomb.png")
        message = browser.wait("document.querySelector('#sv-between .sv-error')?.innerText")
        assert message.startswith("bomb.png is no image that can be read;")
        assert browser.run("document.documentElement.scrollWidth") == 400
        elsewhere = [url for url in browser.requests if not url.startswith((address, "data:", "blob:"))]
        assert elsewhere == [] and browser.errors == []
        assert [to for to in reached if isinstance(to, tuple) and to[0] not in ("127.0.0.1", "localhost", "::1")] == []

    serve([session.run.path], browser=False, wait=drive)
    out, err = capsys.readouterr()
    assert out.startswith("Explore split & <b> at http://127.0.0.1:") and "Warning" not in err

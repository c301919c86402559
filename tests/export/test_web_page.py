"""The exported page in a real browser: its canvases show what PyTorch decodes, and its sliders move them."""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from splitvae.export import runtime, web_page
from splitvae.export.web_page import check_folder, export_web
from splitvae.runs import Run


class Handler(SimpleHTTPRequestHandler):
    """A static host that writes no log."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """The address of a static host of the folder `page`."""
    handler = functools.partial(Handler, directory=str(tmp_path / "page"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def fetched_runtime(user_cache: Path) -> dict[str, Path]:
    """The files of onnxruntime-web in the cache of this machine; tests themselves fetch nothing."""
    folder = user_cache / f"{runtime.PACKAGE}-{runtime.RUNTIME_VERSION}"
    files = {name: folder / name for name in runtime.RUNTIME_FILES}
    if not all(runtime._is_intact(file) for file in files.values()):
        pytest.skip("onnxruntime-web is not in the cache; `python -m splitvae.export.runtime` fetches it")
    return files


@pytest.fixture
def run(tmp_path: Path, make_run: Callable[..., Run], noise_file: Path) -> Run:
    """A run with three components, whose name HTML must escape, and larger weights than those of an untrained decoder."""
    run = make_run(tmp_path / "run <b>", noise_file, split=3)
    vae = run.vae
    with torch.no_grad():
        for parameter in vae.decoder.parameters():
            parameter.mul_(2)
    run.save_model(vae)
    return run


def test_the_page_draws_what_pytorch_decodes(
    run: Run, host: str, fetched_runtime: dict[str, Path], browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")  # of the extra export
    monkeypatch.setattr(web_page, "find_runtime", lambda: fetched_runtime)
    assert "python -m http.server" in export_web(run, tmp_path / "page")
    check_folder(tmp_path / "page")  # which may be written again

    def assert_drawn(z: torch.Tensor) -> None:
        with torch.no_grad():
            canvas = run.vae.decode(z[None])
        wanted = [canvas.image[0], *canvas.masks[0], *canvas.images[0]]
        code = "[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        drawn = browser.run(f"[...document.querySelectorAll('.tile canvas')].map((c) => {code})")
        assert len(drawn) == len(wanted) == 7
        for pixels, image in zip(drawn, wanted, strict=True):
            rgba = np.array(pixels).reshape(16, 16, 4)
            assert np.all(rgba[..., 3] == 255)
            for channel in range(3):
                assert np.abs(rgba[..., channel] - 255 * image[0].numpy()).max() <= 1

    browser.size(400, 800, phone=True)
    browser.open(host)
    browser.wait("!document.getElementById('save').disabled")
    model = json.loads(browser.run("document.getElementById('model').textContent"))
    z = torch.tensor(model["start"])
    assert_drawn(z)
    slider = "document.querySelectorAll('#sliders input')[1]"
    count = browser.run("document.body.dataset.drawn")
    browser.run(f"{slider}.value = -2.5; {slider}.dispatchEvent(new Event('input'))")
    browser.wait("document.body.dataset.drawn", lambda now: now != count)
    z[model["sliders"][1]["latent"]] = -2.5
    assert_drawn(z)
    browser.run("document.querySelectorAll('.tile')[2].click()")
    assert browser.run("document.getElementById('caption').textContent") == "map 2"
    browser.run("document.getElementById('centre').click()")
    browser.wait("document.body.dataset.drawn", lambda now: int(now) == int(count) + 2)
    assert_drawn(torch.zeros(4))
    assert browser.run("document.documentElement.scrollWidth") == 400
    assert browser.run("document.querySelector('h1').innerText") == "run <b>"
    assert browser.errors == [] and all(url.startswith((host, "data:", "blob:")) for url in browser.requests)
    browser.open((tmp_path / "page" / "index.html").as_uri())
    assert "type: python -m http.server" in browser.wait("document.getElementById('status').textContent")


def test_no_text_of_a_run_ends_the_script_of_the_page(run: Run) -> None:
    page = web_page._render(run, {"label": "</script><b>"}, 1)
    assert page.count("</script>") == 2 and re.search(r"\\u003c/script>\\u003cb>", page)

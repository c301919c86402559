"""Measures how long `splitvae explore` takes to redraw its images when a slider moves.

    python benchmarks/explore.py [PRESET] [--repeats 30]

A redraw decodes one latent and encodes the blend, the map, both components and the sheet to keep as PNG. The model is the
untrained one of a preset, mnist-svae of width 64 by default. With gradio the time of the whole answer of the server is
measured too: an HTTP request with the values of all sliders, as the page in the browser makes it. With Chromium, which
tests/browser.py drives, also the time in the page from the movement of a slider to the next image. The bar is 100 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from timing import describe_machine, record_bar

from splitvae.explore.server import serve
from splitvae.explore.session import Session
from splitvae.explore.views import show_latent
from splitvae.presets.build import build_vae
from splitvae.presets.registry import find_preset
from splitvae.runs import Run

BAR_MILLISECONDS = 100
# Moves a slider, and returns the milliseconds until another image is shown, or null after a limit.
MOVE_AND_WAIT = """new Promise(done => {
  const image = () => document.querySelector('#sv-latent .sv-large img')?.src;
  const slider = document.querySelector('SLIDER input[type=range]');
  const before = image(), start = performance.now();
  const look = () => {
    const ms = performance.now() - start;
    if (image() && image() !== before) done(ms); else if (ms > LIMIT) done(null); else requestAnimationFrame(look);
  };
  slider.value = VALUE;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  requestAnimationFrame(look);
})"""


def make_session(preset: str, folder: Path) -> Session:
    """Returns the untrained model of a preset as an opened run without data."""
    config = find_preset(preset, data=None)
    vae = build_vae(config).eval()
    run = Run.begin(folder, config, vae.counts())
    run.save_model(vae)
    return Session(run)


def measure(redraw: Callable[[int], Any], repeats: int) -> list[float]:
    """Returns the durations of redraws in milliseconds, after five that are not counted."""
    durations = []
    for i in range(repeats + 5):
        start = time.perf_counter()
        redraw(i)
        durations.append(1000 * (time.perf_counter() - start))
    return durations[5:]


def report(what: str, durations: list[float]) -> None:
    """Prints the smallest and the median duration, and records the smallest: other work on the machine only adds to it."""
    least, median = min(durations), statistics.median(durations)
    verdict = record_bar(what, least, BAR_MILLISECONDS, "ms")
    print(f"{what}: least {least:.1f} ms, median {median:.1f} ms of {len(durations)}; {verdict}")


def request_redraw(page: Any, session: Session) -> Callable[[int], None]:
    """Returns a function that asks the server of a page for the image of moved sliders."""
    config = page.get_config_file()
    (endpoint,) = [d for d in config["dependencies"] if d["api_name"] == "_redraw_latent"]
    url = f"http://127.0.0.1:{page.server_port}/gradio_api/run/predict"

    def redraw(i: int) -> None:
        values = [0.01 * (i + j) for j in range(len(endpoint["inputs"]) - 4)]
        data = {
            "data": [session.run.name, "blend", 0, None, *values],
            "fn_index": endpoint["id"],
            "session_hash": "benchmark",
        }
        request = urllib.request.Request(url, json.dumps(data).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            assert "base64" in json.load(answer)["data"][0]

    return redraw


def measure_in_browser(page: Any, repeats: int) -> list[float] | None:
    """Returns milliseconds from the movement of a slider to the next image in the page; None without a browser."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from browser import Browser, find_browser

    if find_browser() is None:
        return None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(Path(profile))
        try:
            browser.open(f"http://127.0.0.1:{page.server_port}")
            browser.wait("!!document.querySelector('#sv-latent .sv-large img')")
            browser.wait("!!document.querySelector('#sv-z0 input[type=range]')")
            move = MOVE_AND_WAIT.replace("SLIDER", "#sv-z0")
            browser.wait(move.replace("VALUE", "2.9").replace("LIMIT", "2000"), lambda ms: ms is not None)
            values = [round(0.1 * (i % 20) - 1, 2) for i in range(repeats)]
            return [browser.run(move.replace("VALUE", str(x)).replace("LIMIT", "20000")) for x in values]
        finally:
            browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("preset", nargs="?", default="mnist-svae")
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    print(describe_machine())
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    preset, repeats = arguments.preset, arguments.repeats
    with tempfile.TemporaryDirectory() as folder:
        session = make_session(preset, Path(folder, "run"))
        base = torch.zeros(session.vae.latent_dim).tolist()
        count = len(session.sliders)
        durations = measure(lambda i: show_latent(session, base, [0.01 * i] * count, "blend"), repeats)
        report(f"{preset}, images of a redraw", durations)
        if find_spec("gradio") is None:
            print("gradio is not installed, so that no answer of the server is measured")
            return

        def through_the_server(page: Any) -> None:
            report(f"{preset}, answer of the server", measure(request_redraw(page, session), repeats))
            if (durations := measure_in_browser(page, repeats)) is not None:
                report(f"{preset}, in the browser", durations)

        serve([session.run.path], browser=False, wait=through_the_server)


if __name__ == "__main__":
    main()

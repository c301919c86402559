"""The benchmarks' page: what fails is named, what is killed goes on, and what is compared is equal."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

import splitvae

BENCHMARKS = Path(splitvae.__file__).parents[1] / "benchmarks"
FIRST = '''"""Measures the first thing."""
import json, os
from pathlib import Path
if __name__ == "__main__":
    with open(Path(__file__).with_name("runs"), "a") as file:
        file.write("x")
    with open(os.environ["SPLITVAE_BENCHMARK_RECORDS"], "a") as file:
        for ratio, peer in ((0.5, "fast"), (2.0, "slow")):
            fields = {"own": 100.0, "other": 100 / ratio, "ratio": ratio, "low": ratio, "high": ratio}
            fields |= {"kind": "comparison", "what": "step", "peer": peer, "unit": "images/s"}
            print(json.dumps(fields), file=file)
        fields = {"kind": "bar", "what": "memory", "value": 4.0, "limit": "at most 3 GB", "unit": "GB", "passed": False}
        print(json.dumps(fields), file=file)
        print(json.dumps({"kind": "reading", "text": "It is as it is."}), file=file)
    print("first output")
'''
SECOND = '''"""Measures the second thing."""
if __name__ == "__main__":
    print("second output")
'''
BROKEN = """if __name__ == "__main__":
    raise OSError("no disk")
"""


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Imports a benchmark as its script does, with its folder first in the path."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module(name)


def write_scripts(folder: Path, **scripts: str) -> None:
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(text)


def run_all(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "run_all.py"), "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_page_is_made_of_records_and_names_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scripts(tmp_path, a_first=FIRST, b_broken=BROKEN, c_second=SECOND)
    assert load("run_all", monkeypatch).main(["--folder", str(tmp_path)]) == 1
    page = (tmp_path / "RESULTS.md").read_text()
    assert "**Failed: b_broken.**" in page and "OSError: no disk" in page
    assert "first output" in page and "second output" in page
    assert "| step | 100 images/s | fast: 200 images/s | **0.50** (0.50 to 0.50) |" in page
    assert "| step | 100 images/s | slow: 50 images/s | 2.00 (2.00 to 2.00) |" in page
    assert "| memory | 4 GB | at most 3 GB | **FAIL** |" in page
    assert "## a_first\n\nIt is as it is." in page and "## c_second\n\nMeasures the second thing." in page
    assert (tmp_path / "runs").read_text() == "x"
    write_scripts(tmp_path, b_broken=SECOND)  # mended: only it runs again
    assert load("run_all", monkeypatch).main(["--folder", str(tmp_path)]) == 0
    assert "Failed" not in (tmp_path / "RESULTS.md").read_text() and (tmp_path / "runs").read_text() == "x"
    written = (tmp_path / "RESULTS.md").stat().st_mtime_ns
    assert load("run_all", monkeypatch).main(["--folder", str(tmp_path), "a_first"]) == 0  # by name: anew, and no page
    assert (tmp_path / "runs").read_text() == "xx" and (tmp_path / "RESULTS.md").stat().st_mtime_ns == written


def test_a_killed_run_leaves_no_page_and_goes_on_where_it_was(tmp_path: Path) -> None:
    kill = SECOND.replace("    print", "    import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)\n    print")
    write_scripts(tmp_path, a_first=FIRST, b_second=kill)
    assert run_all(tmp_path).returncode == -9
    assert not list(tmp_path.glob("RESULTS*"))
    write_scripts(tmp_path, b_second=SECOND)
    assert run_all(tmp_path).returncode == 0
    assert (tmp_path / "runs").read_text() == "x" and "second output" in (tmp_path / "RESULTS.md").read_text()


def test_a_script_that_hangs_ends_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = "import os, subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    write_scripts(tmp_path, hangs=f'if __name__ == "__main__":\n    {child}; print(p.pid, flush=True); p.wait()\n')
    result = load("run_all", monkeypatch).run_script(tmp_path / "hangs.py", [], 1.0)
    assert result["error"].startswith("It was ended after 1 s.")
    status = Path("/proc", result["output"].strip(), "status")
    assert not status.exists() or "zombie" in status.read_text()


def test_all_scripts_say_what_they_do_and_know_how_to_be_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("run_all", monkeypatch)
    scripts = module.find_scripts(BENCHMARKS)
    assert {"growth", "train_peers", "metrics_speed", "memory"} <= {script.stem for script in scripts}
    for script in scripts:
        assert module.describe_script(script)[-1] == "."
    assert module.choose_arguments(BENCHMARKS / "growth.py", False) == ["--quick"]
    assert module.choose_arguments(BENCHMARKS / "growth.py", True) == []


def test_the_exponent_of_a_growth_is_that_of_a_power_law(monkeypatch: pytest.MonkeyPatch) -> None:
    growth = load("growth", monkeypatch)
    assert growth.fit_exponent([8, 16, 32, 64], [3 * n**1.5 for n in (8, 16, 32, 64)]) == pytest.approx(1.5)
    _, few = growth.make_step(width=4, batch_size=2)
    _, many = growth.make_step(width=8, batch_size=2)
    assert 2 < many / few < 4  # convolutions grow as its square, layers at the images and the dense ones slower


def test_an_answer_of_a_worker_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timing = load("timing", monkeypatch)
    script = tmp_path / "work.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\nfrom timing import serve\n"
        "def work(line):\n    print('noise')\n    return 2 * float(line)\n"
        "serve(lambda: (print('noise') or work, {'name': sys.argv[1]}))\n"
    )
    monkeypatch.setattr(sys, "argv", [str(script)])
    worker = timing.Worker("mine")
    assert worker.facts == {"name": "mine"} and worker("3") == 6
    worker.ask("nonsense")
    with pytest.raises(RuntimeError, match="could not convert string to float"):
        worker.answer()
    worker.close()


def numbered(model: Any, name: str) -> list[Any]:
    """The layers of a class in the order in which they were made, by the numbers that Keras gives them."""
    layers = [layer for layer in model.layers if type(layer).__name__ == name]
    return sorted(layers, key=lambda layer: int((re.search(r"_(\d+)$", layer.name) or [0, 0])[1]))


def copy_weights(source: nn.Module, target: Any) -> None:
    """Gives a Keras model the weights of a module whose layers were made in the same order."""
    modules = list(source.modules())
    for kinds, name, axes in (
        (nn.Conv2d, "Conv2D", (2, 3, 1, 0)),
        (nn.ConvTranspose2d, "Conv2DTranspose", (2, 3, 1, 0)),
        (nn.Linear, "Dense", (1, 0)),
        (nn.BatchNorm1d | nn.BatchNorm2d, "BatchNormalization", (0,)),
    ):
        for module, layer in zip([m for m in modules if isinstance(m, kinds)], numbered(target, name), strict=True):
            values = [module.weight.permute(axes), module.bias]
            values += [module.running_mean, module.running_var] if axes == (0,) else []
            layer.set_weights([v.detach().numpy() for v in values])


def test_the_network_in_keras_is_that_of_splitvae(monkeypatch: pytest.MonkeyPatch) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")  # an optional peer
    if keras.backend.backend() != "torch":
        pytest.skip("Keras was imported with another backend")
    keras_svae = load("keras_svae", monkeypatch)
    vae = splitvae.create("mnist-svae", width=4).eval()
    for norm in (m for m in vae.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5), nn.init.normal_(norm.bias), nn.init.uniform_(norm.running_var, 0.5, 1.5)
    model = keras_svae.SplitVAE((32, 32, 1), 32, 4)
    assert model.counts() == vae.counts()
    copy_weights(vae.encoder, model.encoder)
    copy_weights(vae.decoder, model.decoder)
    x, z = torch.rand(3, 1, 32, 32), torch.randn(3, 32)
    with torch.no_grad():
        mean, logvar = model.encoder(x.permute(0, 2, 3, 1), training=False)
        posterior = vae.encode(x)
        torch.testing.assert_close(mean, posterior.mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(logvar, posterior.logvar, rtol=1e-4, atol=1e-4)
        image = keras_svae.blend(model.decoder(z, training=False), 1)
        torch.testing.assert_close(image.permute(0, 3, 1, 2), vae.decode(z).image, rtol=1e-4, atol=1e-4)

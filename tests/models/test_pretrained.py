"""Tests of models as folders and on the hub: which are found, which are refused, and that none executes anything."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch

from splitvae import VAE, UserError, __version__
from splitvae.models.pretrained import CONFIG, WEIGHTS


@pytest.fixture(scope="module")
def vae() -> VAE:
    torch.manual_seed(0)
    return VAE((1, 16, 16), 4, 2, "mlp", embedding=8).eval()


@pytest.fixture
def saved(vae: VAE, tmp_path: Path) -> Path:
    vae.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def change(folder: Path, **values: object) -> None:
    """Changes settings in the config.json of a model."""
    file = folder / CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_model_is_read_from_its_folder_and_from_that_of_a_run(vae: VAE, saved: Path, tmp_path: Path) -> None:
    assert sorted(file.name for file in saved.iterdir()) == [CONFIG, WEIGHTS]
    again = VAE.from_pretrained(saved)
    assert again.fingerprint() == vae.fingerprint() and not again.training
    run = tmp_path / "run"
    run.mkdir()
    saved.rename(run / "model")
    assert VAE.from_pretrained(str(run)).fingerprint() == vae.fingerprint()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("runs/digit", r"runs/digit does not exist; did you mean 'digits'\?"),
        ("runs/zzz", "runs/zzz does not exist; give the folder of a model or of a run, or owner/name"),
        ("./mine", r"\./mine does not exist"),
        ("/nowhere/mine", "/nowhere/mine does not exist"),
        ("mine", "mine does not exist"),
        ("a/b/c", "a/b/c does not exist"),
        (Path("me/model"), "me/model does not exist"),
        ("runs", "holds no model, which is config.json and model.safetensors, and no run with one"),
        ("runs/digits", "has no trained model; `splitvae train --resume --out runs/digits`"),
        ("runs/digits/config.json", "is a file; give the folder"),
        ("pickled", "pytorch_model.bin, which is not read, since a pickle can execute code"),
    ],
)
def test_a_mistyped_path_is_answered_at_once(
    name: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*arguments: object, **options: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(huggingface_hub, "HfApi", ask)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "digits" / "model").mkdir(parents=True)
    (tmp_path / "runs" / "digits" / CONFIG).write_text("{}")
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").touch()
    with pytest.raises(UserError, match=message):
        VAE.from_pretrained(name)


def test_without_a_network_a_name_of_the_hub_is_answered_at_once(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(UserError, match=r"nobody/nothing is no folder here, the hub cannot be asked .* cache does not"):
        VAE.from_pretrained("nobody/nothing", cache_dir=tmp_path)
    assert time.monotonic() - start < 5  # it was 23 seconds


class Hub:
    """A stand-in for the hub, which holds the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.downloads = folder, list[str]()

    def model_info(self, name: str, revision: str | None = None, timeout: float = 0) -> Any:
        files = [SimpleNamespace(rfilename=file.name) for file in self.folder.iterdir()]
        return SimpleNamespace(siblings=files, sha="0123abcd")

    def download(self, name: str, file: str, revision: str | None = None, **options: Any) -> str:
        assert revision == "0123abcd"  # both files are of one commit
        self.downloads.append(file)
        return str(self.folder / file)


@pytest.fixture
def hub(saved: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(saved)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda **options: hub)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub.download)
    return hub


def test_a_model_of_the_hub_is_two_files_and_nothing_else_is_fetched(vae: VAE, hub: Hub) -> None:
    (hub.folder / "modeling_evil.py").write_text("raise SystemExit('executed')")
    (hub.folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    assert VAE.from_pretrained("me/model").fingerprint() == vae.fingerprint()
    assert hub.downloads == [CONFIG, WEIGHTS]


class Bomb:
    """A pickle that leaves a file where it is read."""

    def __reduce__(self) -> Any:
        return exec, (f"open({str(Path(__file__).with_name('executed'))!r}, 'w')",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"net": {"name": "os.system", "command": "touch executed"}}, "no network is called 'os.system'"),
        ({"net": {"name": "mlp", "__class__": "subprocess.Popen"}}, "field '__class__' unknown here"),
        ({"auto_map": {"AutoModel": "modeling_evil.VAE"}}, "no setting 'auto_map'"),
        ({"_target_": "builtins.eval"}, "no setting '_target_'"),
        ({"net": ["mlp"]}, "is no network"),
        ({"latent": {"name": "pickle"}}, "no latent is called 'pickle'"),
        ({"latent_dim": "4"}, "must be a whole number"),
        ({"shape": "big"}, "is damaged|is not"),
        ({"latent_dim": 5}, "model.safetensors is damaged or of another model"),
    ],
)
def test_settings_that_name_unknown_things_are_refused(hub: Hub, settings: dict[str, Any], message: str) -> None:
    change(hub.folder, **settings)
    with pytest.raises(UserError, match=message):
        VAE.from_pretrained("me/model")


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_weights_that_are_a_pickle_are_never_executed(hub: Hub, kind: str) -> None:
    if kind == "torch":
        torch.save(Bomb(), hub.folder / WEIGHTS)
    else:
        (hub.folder / WEIGHTS).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match="is damaged or of another model"):
        VAE.from_pretrained("me/model")
    (hub.folder / WEIGHTS).rename(hub.folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"is no model of splitvae.*pickles, are not read"):
        VAE.from_pretrained("me/model")
    assert not Path(__file__).with_name("executed").exists()


def test_a_model_of_a_newer_version_says_so(saved: Path) -> None:
    assert json.loads((saved / CONFIG).read_text())["splitvae"] == __version__
    change(saved, splitvae="99.1", holography=True)
    with pytest.raises(UserError, match=r"'holography'.* was written by splitvae 99\.1, which is newer than this"):
        VAE.from_pretrained(saved)

"""Tests of the repository of a model, and of its upload to a stand-in for the hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub.errors import HfHubHTTPError
from PIL import Image

import splitvae
from splitvae import UserError
from splitvae.cli.app import main
from splitvae.hub import push, write_repository

FILES = ["README.md", "components.png", "config.json", "model.safetensors", "samples.png"]


class FakeHfApi:
    """A stand-in for `huggingface_hub.HfApi`, which keeps repositories in a folder."""

    root: Path
    calls: list[Any]
    failure: Exception | None = None

    def __init__(self, token: str | None = None) -> None:
        self.calls.append(("token", token))

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool, repo_type: str) -> Any:
        if self.failure is not None:
            raise self.failure
        self.calls.append((repo_id, private, exist_ok, repo_type))
        return SimpleNamespace(repo_id=repo_id)

    def upload_folder(self, *, repo_id: str, folder_path: str, repo_type: str, commit_message: str) -> None:
        self.calls.append(commit_message)
        shutil.copytree(folder_path, self.root / repo_id)

    def model_info(self, name: str, revision: str | None = None, timeout: float = 0) -> Any:
        names = os.listdir(self.root / name)
        return SimpleNamespace(sha="0123", siblings=[SimpleNamespace(rfilename=each) for each in names])


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[FakeHfApi]:
    class Api(FakeHfApi):
        root, calls = tmp_path / "hub", []

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda name, file, **options: str(tmp_path / "hub" / name / file)
    )
    return Api


@pytest.fixture
def run(tmp_path: Path, make_run: Callable[..., Any], noise_file: Path) -> splitvae.Run:
    return make_run(tmp_path / "runs" / "first", noise_file)


def test_a_run_is_pushed_and_its_model_comes_back(hub: type[FakeHfApi], run: splitvae.Run) -> None:
    address = run.push_to_hub("me/digits", licence="mit", private=True, token="secret")
    assert address == "https://huggingface.co/me/digits"
    assert hub.calls == [("token", "secret"), ("me/digits", True, True, "model"), "Upload digits by splitvae"]
    assert sorted(os.listdir(hub.root / "me" / "digits")) == FILES
    again = splitvae.VAE.from_pretrained("me/digits")
    assert again.fingerprint() == run.vae.fingerprint()
    assert 'from_pretrained("me/digits")' in (hub.root / "me" / "digits" / "README.md").read_text(encoding="utf-8")


def test_a_model_is_pushed_without_a_run(hub: type[FakeHfApi]) -> None:
    vae = splitvae.VAE((1, 16, 16), 4, split=1, net="mlp", embedding=8).train()
    vae.push_to_hub("me/mine", "apache-2.0")
    assert vae.training
    assert sorted(os.listdir(hub.root / "me" / "mine")) == [name for name in FILES if name != "components.png"]


def test_no_run_and_no_other_readme_is_overwritten(run: splitvae.Run, tmp_path: Path) -> None:
    before = (run.path / "config.json").read_bytes()
    with pytest.raises(UserError, match="is a run"):
        write_repository(run, run.path, "mit")
    assert (run.path / "config.json").read_bytes() == before
    own = tmp_path / "README.md"
    own.write_text("my notes", encoding="utf-8")
    with pytest.raises(UserError, match="is no model card of splitvae"):
        write_repository(run, tmp_path, "mit")
    assert own.read_text(encoding="utf-8") == "my notes" and sorted(os.listdir(tmp_path)) == ["README.md", "runs"]
    for _ in range(2):  # a card is replaced
        write_repository(run, tmp_path / "out", "mit")


def test_pictures_show_generated_images_alone(run: splitvae.Run, tmp_path: Path) -> None:
    figures = run.path / "figures"
    figures.mkdir()
    from splitvae.figures.io import save_figure
    from splitvae.figures.samples import draw_sheet

    sheet = draw_sheet(run.vae.sample(4, seed=1).image)
    save_figure(sheet, figures / "samples-gmm.png", run.vae.fingerprint())
    save_figure(sheet, figures / "samples-flow.png", "0123456789abcdef")  # of other weights
    for name in ("reconstructions", "components-reconstructed", "traversals"):  # which show images of the data
        save_figure(sheet, figures / f"{name}.png", run.vae.fingerprint())
    files = write_repository(run, tmp_path / "out", "mit")
    assert (
        sorted(file.name for file in files) == sorted([*FILES, "samples-gmm.png"]) == sorted(os.listdir(tmp_path / "out"))
    )
    assert np.asarray(Image.open(tmp_path / "out" / "samples.png")).std() > 1


@pytest.mark.parametrize("name", ["digits", "me/", "/digits", "me/my/digits"])
def test_a_name_that_is_none_of_the_hub_is_refused(hub: type[FakeHfApi], run: splitvae.Run, name: str) -> None:
    with pytest.raises(UserError, match="names no model of the hub; type owner/name"):
        push(run, name, "mit")
    assert hub.calls == []


def test_failures_of_the_hub_are_answered_in_a_sentence(hub: type[FakeHfApi], run: splitvae.Run) -> None:
    unauthorised = HfHubHTTPError("401 Client Error", response=SimpleNamespace(status_code=401, headers={}, request=None))
    for failure, message in (
        (unauthorised, "`hf auth login` with a token that may write to me"),
        (
            ConnectionError("no route"),
            r"the hub cannot be reached \(no route\); splitvae\.hub\.write_repository\(.* writes the files here",
        ),
    ):
        hub.failure = failure
        with pytest.raises(UserError, match=message):
            push(run, "me/digits", "mit")


def test_the_command_writes_what_it_would_upload(
    hub: type[FakeHfApi], run: splitvae.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["push", str(run.path), "--folder", str(tmp_path / "out")]
    assert main(command) == 2  # no licence, and no terminal to ask on
    assert "such as --licence cc-by-4.0" in capsys.readouterr().err.replace("\n", " ")
    assert main([*command, "--licence", "mit"]) == 0
    assert "Nothing was uploaded." in capsys.readouterr().out and sorted(os.listdir(tmp_path / "out")) == FILES
    assert main(["push", str(run.path), "--licence", "mit"]) == 2
    assert "say where to: --to OWNER/NAME on the hub, or --folder DIR" in capsys.readouterr().err.replace("\n", " ")
    assert hub.calls == []
    assert main(["push", str(run.path), "--to", "me/digits", "--private", "--licence", "mit"]) == 0
    assert capsys.readouterr().out == "Uploaded: https://huggingface.co/me/digits\n"
    assert ("me/digits", True, True, "model") in hub.calls


def test_the_command_asks_for_the_licence_on_a_terminal(
    hub: type[FakeHfApi], run: splitvae.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "cc0-1.0" if "Licence" in question else "")
    assert main(["push", str(run.path), "--folder", str(tmp_path / "out")]) == 0
    assert "license: cc0-1.0" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")

"""Adding a choice is one file and one line: toys that are registered here work everywhere without another change.

What this file defines for each axis is what docs/extending.md asks for. Each `monkeypatch.setitem` is the one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splitvae
from splitvae.cli import main
from splitvae.config import Config
from splitvae.errors import UserError
from splitvae.metrics.registry import METRICS, Metric
from splitvae.models.codes import Codes
from splitvae.models.groups import Groups
from splitvae.models.latents import LATENTS, Latent
from splitvae.models.posteriors import GaussianPosterior
from splitvae.networks.base import EncoderDecoder, Network
from splitvae.networks.registry import NETWORKS
from splitvae.objectives.base import Loss, Objective, PlayerLosses, kl_terms_for_log, squared_error
from splitvae.objectives.registry import OBJECTIVES
from splitvae.objectives.variance import VARIANCES, Variance, VarianceModule
from splitvae.samplers.base import Sampler
from splitvae.samplers.registry import SAMPLERS
from splitvae.utils.console import Progress


class LinearEncoder(nn.Module):
    def __init__(self, inputs: int, features: int) -> None:
        super().__init__()
        self.features, self.layer = features, nn.Linear(inputs, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1))


class LinearDecoder(nn.Module):
    def __init__(self, latent_dim: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape, self.head = shape, nn.Linear(latent_dim, shape[0] * shape[1] * shape[2])

    def forward(self, z: Tensor) -> Tensor:
        return self.head(z).unflatten(1, self.shape)


@dataclass(frozen=True)
class ToyNetwork(Network):
    """Creates the settings of a linear network.

    Arguments:
        toy_units: The number of features of the toy network.
    """

    name = "toy-network"
    toy_units: int = 7

    def build(self, shape: tuple[int, int, int], latent_dim: int, outputs: int) -> EncoderDecoder:
        encoder = LinearEncoder(shape[0] * shape[1] * shape[2], self.toy_units)
        return EncoderDecoder(encoder, LinearDecoder(latent_dim, (outputs, *shape[1:])))


class ToyHead(nn.Module):
    def __init__(self, features: int, dim: int, logvar: float) -> None:
        super().__init__()
        self.mean, self.logvar = nn.Linear(features, dim), logvar

    def forward(self, features: Tensor, group: Groups | Tensor | None = None) -> GaussianPosterior:
        mean = self.mean(features.float())
        return GaussianPosterior(mean, torch.full_like(mean, self.logvar))


@dataclass(frozen=True)
class ToyLatent(Latent):
    """Creates the settings of a latent with one variance for all images.

    Arguments:
        toy_logvar: The logarithm of the variance of the toy latent.
    """

    name = "toy-latent"
    toy_logvar: float = -2.0

    def build(self, features: int, dim: int) -> ToyHead:
        return ToyHead(features, dim, self.toy_logvar)


class ToyVarianceModule(VarianceModule):
    """Doubles v at each training step, so that a resumed run shows whether the state was kept."""

    def forward(self, mse: Tensor) -> Tensor:
        v = self.v.clone()
        if self.training:
            self.v.mul_(1.01)
        return v


@dataclass(frozen=True)
class ToyVariance(Variance):
    """Creates a variance that grows."""

    name, module = "toy-variance", ToyVarianceModule


class ToyLoss(Loss):
    settings: ToyObjective

    def __init__(self, settings: ToyObjective) -> None:
        super().__init__(settings)
        self.variance = settings.variance.build()

    def forward(self, vae: splitvae.VAE, x: Tensor, group: Groups | Tensor | None = None, step: int = 0) -> PlayerLosses:
        posterior = vae.encode(x, group)
        sse = squared_error(vae.decode(posterior.rsample()).image, x)
        mse = sse.detach().mean() / x[0].numel()
        v = self.variance(mse)
        loss = (sse / (2 * v) + self.settings.toy_weight * posterior.kl()).mean()
        terms = {"loss": loss.detach(), "mse": mse, "rec": sse.detach().mean(), "v": v.detach()}
        self.logs = {**terms, **kl_terms_for_log(posterior)}
        yield "vae", loss


@dataclass(frozen=True)
class ToyObjective(Objective):
    """Creates an objective.

    Arguments:
        toy_weight: The weight of the KL in the toy objective.
        variance: The variance of the likelihood.
    """

    name = "toy-objective"
    resumable: ClassVar[frozenset[str]] = frozenset({"toy_weight"})
    toy_weight: float = 1.5
    variance: Annotated[Variance, VARIANCES] = ToyVariance(0.1)

    def build(self, steps_per_epoch: int = 1) -> ToyLoss:
        return ToyLoss(self)

    def describe(self) -> tuple[str, str]:
        return "toy autoencoder", f"w = {self.toy_weight:g}"


@dataclass(frozen=True)
class ToySampler(Sampler):
    """Creates a sampler that repeats codes.

    Arguments:
        toy_noise: The standard deviation of noise that is added to codes.
    """

    name = "toy-sampler"
    toy_noise: float = 0.1

    def fit(self, codes: Codes, progress: Progress | None = None) -> Self:
        return self.learn(codes_=codes.mean)

    def sample(self, n: int, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        z = self.codes_[torch.randint(len(self.codes_), (n,), generator=generator)]
        return z + self.toy_noise * torch.randn(z.shape, generator=generator)

    def state_dict(self) -> dict[str, Tensor]:
        return {"codes": self.codes_}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        self.learn(codes_=tensors["codes"])


@pytest.fixture(scope="module")
def _registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "toy-network", ToyNetwork)
        patch.setitem(LATENTS, "toy-latent", ToyLatent)
        patch.setitem(OBJECTIVES, "toy-objective", ToyObjective)
        patch.setitem(VARIANCES, "toy-variance", ToyVariance)
        patch.setitem(SAMPLERS, "toy-sampler", ToySampler)
        patch.setitem(METRICS, "toy-metric", Metric("samples", "toy metric of the toy model", lambda outputs: 0.125))
        yield


CHOICES = {"net": "toy-network", "latent": "toy-latent", "loss": "toy-objective", "sampler": "toy-sampler"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "images.npz"
    rng = np.random.default_rng(0)
    np.savez(
        file, **{f"x_{part}": rng.integers(0, 256, (n, 16, 16), np.uint8) for part, n in (("train", 90), ("test", 40))}
    )
    return file


@pytest.fixture(scope="module")
def words(data: Path) -> list[str]:
    choices = [word for option, name in CHOICES.items() for word in (f"--{option}", name)]
    sizes = "--split 2 --latent-dim 3 --toy-units 5 --toy-weight 2.5 --v 0.2 --shape 1 16 16 --batch-size 10 --epochs 2"
    return ["--data", str(data), *choices, *sizes.split()]


@pytest.fixture(scope="module")
def run(_registered: None, words: list[str], tmp_path_factory: pytest.TempPathFactory) -> splitvae.Run:
    """A run of all toys, trained by the command line, with its report."""
    folder = tmp_path_factory.mktemp("runs") / "toy"
    assert main(["train", *words, "--out", str(folder)]) == 0
    return splitvae.Run(folder)


def test_toys_train_and_describe_themselves_in_the_config(run: splitvae.Run) -> None:
    assert [row["epoch"] for row in run.history] == [1, 2]
    stored = json.loads((run.path / "config.json").read_text())
    assert stored["model"]["net"] == {"name": "toy-network", "toy_units": 5}
    assert stored["model"]["latent"] == {"name": "toy-latent", "toy_logvar": -2.0}
    assert stored["objective"]["name"] == "toy-objective" and stored["objective"]["toy_weight"] == 2.5
    assert stored["objective"]["variance"] == {"name": "toy-variance", "v": 0.2}
    assert stored["sampler"] == {"name": "toy-sampler", "toy_noise": 0.1}
    assert isinstance(run.config.objective, ToyObjective) and isinstance(run.config.model.net, ToyNetwork)


def test_a_network_that_no_registry_knows_trains_until_its_run_is_read(tmp_path: Path) -> None:
    class OwnNetwork(ToyNetwork):
        name = "own-network"

    options = {"latent_dim": 4, "split": 1, "epochs": 1, "batch_size": 100, "progress": False, "preview_every": 0}
    run = splitvae.train("digits-svae", out=tmp_path / "run", net=OwnNetwork(toy_units=3), **options)
    assert len(run.history) == 1
    with pytest.raises(UserError, match="own-network"):
        splitvae.open_run(tmp_path / "run")


def test_a_resumed_toy_is_the_uninterrupted_one(run: splitvae.Run, words: list[str], tmp_path: Path) -> None:
    first = [*words[:-1], "1", "--no-report", "--out", str(tmp_path / "parts")]
    assert main(["train", *first]) == 0
    assert main(["train", "--resume", "--out", str(tmp_path / "parts"), "--epochs", "2", "--no-report"]) == 0
    assert splitvae.Run(tmp_path / "parts").vae.fingerprint() == run.vae.fingerprint()
    assert splitvae.Run(tmp_path / "parts").history[1]["v"] == run.history[1]["v"] > run.history[0]["v"]


def test_a_toy_model_is_saved_and_read(run: splitvae.Run, tmp_path: Path) -> None:
    run.vae.save_pretrained(tmp_path / "model")
    again = splitvae.VAE.from_pretrained(tmp_path / "model")
    assert again.fingerprint() == run.vae.fingerprint() and isinstance(again.settings.latent, ToyLatent)


def test_a_toy_sampler_draws_from_the_command_line_and_is_kept(run: splitvae.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["sample", str(run.path), "--sampler", "toy-sampler", "-n", "4"]) == 0
    assert (run.path / "samplers" / "toy-sampler-clean" / "sampler.json").exists()
    monkeypatch.setattr(ToySampler, "fit", lambda *_: pytest.fail("fitted again"))
    assert main(["sample", str(run.path), "--sampler", "toy-sampler", "-n", "4"]) == 0


def test_help_shows_toys_and_their_options_where_they_are_chosen(
    _registered: None, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def help_of(*arguments: str) -> str:
        with pytest.raises(SystemExit):
            main([*arguments, "--help"])
        return capsys.readouterr().out

    plain, toys = help_of("train", "digits-svae"), help_of("train", *words)
    for name in CHOICES.values():
        assert name in plain
    assert "toy-variance" in plain
    for option in ("--toy-units", "--toy-logvar", "--toy-weight", "--toy-noise"):
        assert option not in plain and option in toys
    assert "The number of features of the toy network." in toys
    assert "toy-metric" in help_of("evaluate")
    assert main(["train", "--help-all"]) == 0
    assert "--toy-logvar" in capsys.readouterr().out


def test_the_report_and_the_evaluation_show_toys(run: splitvae.Run) -> None:
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "toy autoencoder, split" in page or "a Split-toy autoencoder" in page
    for text in ("w = 2.5", "toy_units", "toy_logvar", "toy_noise", "toy-variance", "toy metric of the toy model"):
        assert text in page, text
    assert run.evaluation["samples"]["toy-metric"] == 0.125


def test_flat_names_reach_toys_wherever_they_stand(_registered: None) -> None:
    config = Config().override(**CHOICES, toy_units=3, toy_logvar=-1.0, toy_noise=0.5, variance="toy-variance", v=0.3)
    assert (config.model.net, config.model.latent) == (ToyNetwork(3), ToyLatent(-1.0))
    assert config.objective == ToyObjective(variance=ToyVariance(0.3)) and config.sampler == ToySampler(0.5)
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config

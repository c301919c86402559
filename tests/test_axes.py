"""The product of the axes: every choice of one works with every choice of the others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
import torch

import splitvae
from splitvae.models.codes import encode
from splitvae.models.latents import LATENTS
from splitvae.networks.base import Network
from splitvae.networks.registry import NETWORKS
from splitvae.objectives.elbo import ELBO
from splitvae.objectives.introspective import Introspective
from splitvae.objectives.introvae import Intro
from splitvae.objectives.kl_weight import KL_SCHEDULES
from splitvae.objectives.rae import PENALTIES, RAE
from splitvae.objectives.soft_introvae import SoftIntro
from splitvae.objectives.variance import VARIANCES
from splitvae.samplers.registry import SAMPLERS

Sized = Callable[..., Network]  # the fixture that makes a network of given sizes

SPLITS = (1, 2, 3)
DECODERS = ((1, "shared"), (2, "shared"), (2, "separate"))  # the number of components, and whether each has its own
ALL_DECODERS = (*DECODERS[:2], (3, "shared"), (3, "separate"))
SMALL: dict[str, dict[str, int]] = {"prior": {}, "gmm": {"components": 2}}  # of samplers; others train for an epoch
SHAPES = ((1, 16, 16), (3, 32, 32))


@pytest.mark.parametrize(("shape", "split", "variance"), list(itertools.product(SHAPES, SPLITS, VARIANCES)))
def test_every_combination_trains_encodes_fits_and_samples(shape: tuple[int, int, int], split: int, variance: str) -> None:
    vae = splitvae.VAE(shape, latent_dim=3, split=split, width=4, scales=3, embedding=16)
    pixels = torch.randint(0, 256, (120, *shape), dtype=torch.uint8)
    for schedule in KL_SCHEDULES.values():
        objective = ELBO(1.0, variance, schedule(), ambiguity=0.1, smoothness=0.1).build()
        for player, loss in objective(vae, pixels[:8].float() / 255, None, 3):
            assert player in objective.players(vae)
            loss.backward()
    assert [n for n, p in vae.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    codes = encode(vae.eval(), splitvae.Images(pixels, None, (), "noise", "train", ()))
    for name, kind in SAMPLERS.items():
        sampler = kind(**SMALL.get(name, {"epochs": 1}))
        canvas = vae.decode(sampler.fit(codes).sample(5))
        assert canvas.image.shape == (5, *shape)
        assert canvas.masks.shape == (5, split, 1, *shape[1:])
        assert canvas.image.isfinite().all()


@pytest.mark.parametrize(("net", "latent", "decoder"), list(itertools.product(NETWORKS, LATENTS, DECODERS)))
def test_every_network_and_latent_trains_with_every_objective(
    net: str, latent: str, decoder: tuple[int, str], sized: Sized
) -> None:
    shape, (split, kind_of_decoder) = (1, 16, 16), decoder
    network = sized(net, width=4, scales=2, kernel=4, embedding=16)
    vae = splitvae.VAE(shape, 3, split, network, latent, split_decoder=kind_of_decoder)
    x = torch.rand(6, *shape)
    objectives = [
        ELBO(ambiguity=0.1, smoothness=0.1).build(),
        *(RAE(1e-3, kind, 1e-6, ambiguity=0.1, smoothness=0.1).build() for kind in PENALTIES),
    ]
    for objective in objectives:
        vae.zero_grad()
        for player, loss in objective(vae, x, None, 3):
            assert player in objective.players(vae)
            loss.backward()
        assert [n for n, p in vae.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    canvas = vae.eval().reconstruct(x)
    assert canvas.image.shape == (6, *shape)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Networks this small are faster on one thread than on two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("net", "latent", "decoder"), list(itertools.product(NETWORKS, LATENTS, ALL_DECODERS)))
def test_every_network_and_latent_trains_introspectively_a_player_at_a_time(
    net: str, latent: str, decoder: tuple[int, str], one_thread: None, sized: Sized
) -> None:
    shape, group, (split, kind) = (1, 16, 16), torch.arange(3).repeat_interleave(2), decoder
    vae = splitvae.VAE(shape, 3, split, sized(net, width=2, scales=2, embedding=8), latent, split_decoder=kind)
    x = torch.rand(6, *shape)
    objectives: list[Introspective] = [Intro(margin=1e3).build(), SoftIntro().build()]
    for objective in objectives:
        objective.ambiguity = objective.smoothness = 0.1
        vae.zero_grad()
        reached: set[str] = set()
        for player, loss in objective(vae, x, group, 3):
            loss.backward()
            reached.add(player)
            wrong = [n for n, p in vae.named_parameters() if (p.grad is not None) != (n.split(".")[0] in reached)]
            assert wrong == []
        assert list(objective.players(vae)) == ["encoder", "decoder"] and len(reached) == 2
        assert [n for n, p in vae.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
        assert "kl_fake_decoder" in objective.logs

"""Content and style: the posterior of images in groups, its bound, its draws, and pairs."""

from __future__ import annotations

import math

import pytest
import torch

import splitvae
from splitvae.errors import UserError
from splitvae.models.groups import as_groups
from splitvae.models.latents import Adaptive, AdaptiveHead, kl_divergence
from splitvae.models.posteriors import GaussianPosterior, GroupedPosterior

SHAPE = (1, 16, 16)
LABELS = torch.tensor([3, 3, 9, 3, 9, -1])


def model(**fields: object) -> splitvae.VAE:
    torch.manual_seed(0)
    # Silenced: fields of mixed types.
    return splitvae.VAE(SHAPE, **{"latent_dim": 7, "embedding": 24, "net": "mlp", "latent": "grouped", **fields})


def posterior(draw: str = "group", eps_std: float = 1.0, count: int = 6) -> GroupedPosterior:
    torch.manual_seed(1)
    labels = torch.arange(count) % 3 if count > 6 else LABELS
    groups = as_groups(labels, count, torch.device("cpu"))
    content = GaussianPosterior(torch.randn(3, 4), torch.randn(3, 4))
    return GroupedPosterior(GaussianPosterior(torch.randn(count, 2), torch.randn(count, 2)), content, groups, draw, eps_std)


def test_the_shares_of_a_group_sum_to_one_content_kl() -> None:
    q = posterior()
    total = q.style.kl().sum() + q.content.kl().sum()
    torch.testing.assert_close(q.kl().sum(), total)
    torch.testing.assert_close(q.kl_terms().sum(1), q.kl())
    assert q.units == 3
    assert q.mean.shape == q.logvar.shape == q.rsample().shape == (6, 6)


def test_the_content_kl_is_that_of_groups_however_many_members_they_have() -> None:
    q = posterior()
    doubled = as_groups(LABELS.repeat(2), 12, torch.device("cpu"))
    twice = q._replace(style=GaussianPosterior(q.style.mean.repeat(2, 1), q.style.logvar.repeat(2, 1)), groups=doubled)
    content = [p.kl().sum() - p.style.kl().sum() for p in (q, twice)]
    torch.testing.assert_close(*content)


def test_without_groups_posterior_and_bound_are_the_ordinary_ones() -> None:
    vae, x = model(), torch.rand(6, *SHAPE)
    for q in (vae.encode(x), vae.encode(x, torch.arange(6)), vae.encode(x, 100 - torch.arange(6))):
        plain = GaussianPosterior(q.mean, q.logvar)  # type: ignore[arg-type]  # its logvar is there
        torch.testing.assert_close(q.kl(), plain.kl())
        torch.testing.assert_close(q.kl_terms(), plain.kl_terms())
        assert q.units == 6


@pytest.mark.parametrize("draw", ["group", "sample", "mean"])
def test_content_draws_are_shared_in_a_group_or_not_as_set(draw: str) -> None:
    q = posterior(draw)
    content = q.rsample()[:, 2:]
    same = bool((content[0] == content[1]).all() and (content[0] == content[3]).all())
    assert same == (draw != "sample")
    assert not (content[0] == content[2]).any()
    if draw == "mean":
        assert torch.equal(content, q.content.mean[q.groups.member_of])


@pytest.mark.parametrize("draw", ["group", "sample"])
def test_with_eps_std_zero_a_draw_is_the_mean_bit_for_bit(draw: str) -> None:
    assert torch.equal(posterior(draw, 0.0).draw_content(), posterior("mean").draw_content())


@pytest.mark.parametrize("eps_std", [1.0, 0.1])
def test_draws_have_the_standard_deviation_that_is_set(eps_std: float) -> None:
    q = posterior("sample", eps_std, count=9000)
    index = q.groups.member_of
    noise = (q.draw_content() - q.content.mean[index]) / (0.5 * q.content.logvar[index]).exp()
    torch.testing.assert_close(noise.std(), torch.tensor(eps_std), rtol=0.02, atol=0)


@pytest.mark.parametrize("draw", ["group", "sample", "mean"])
@pytest.mark.parametrize("fusion", ["poe", "poe-prior", "mean", "harmonic"])
def test_all_four_heads_learn(fusion: str, draw: str) -> None:
    vae = model(fusion=fusion, content_draw=draw)
    optimizer = torch.optim.Adam(vae.parameters(), 1e-3)
    x = torch.rand(6, *SHAPE)
    for _ in range(3):
        for _, loss in splitvae.ELBO()(vae, x, LABELS):
            optimizer.zero_grad()
            loss.backward()
            for name, p in vae.named_parameters():
                assert p.grad is not None, name
                assert p.grad.abs().sum() > 0, name
            optimizer.step()
    latent = vae.encoder.latent
    for head in (latent.style_mean, latent.style_logvar, latent.content_mean, latent.content_logvar):
        assert head.bias.abs().min() > 0  # public code leaves the content's at zero


def test_the_bound_is_the_sum_over_groups_divided_by_their_number() -> None:
    vae, x = model(content_draw="mean"), torch.rand(6, *SHAPE)
    objective = splitvae.ELBO(2.0, splitvae.Fixed(0.25)).build()
    torch.manual_seed(5)
    ((_, loss),) = objective(vae, x, LABELS)
    torch.manual_seed(5)
    q = vae.encode(x, LABELS)
    sse = (vae.decode(q.rsample()).image - x).square().sum()
    kl = q.style.kl().sum() + q.content.kl().sum()  # type: ignore[attr-defined]  # a Grouped posterior
    constant = x.numel() / 2 * math.log(2 * math.pi * 0.25)
    torch.testing.assert_close(loss, (sse / 0.5 + constant + 2 * kl) / 3)
    # Silenced: a Grouped posterior.
    torch.testing.assert_close(objective.logs["kl_content"], q.content.kl().mean())
    # Silenced: a Grouped posterior.
    torch.testing.assert_close(objective.logs["kl_style"], q.style.kl().mean())


def test_scaling_by_pixels_counts_the_content_once_per_member_and_divides_by_pixels() -> None:
    vae, x = model(content_draw="mean"), torch.rand(6, *SHAPE)
    objective = splitvae.ELBO(1.0, splitvae.Fixed(0.5), scaling="pixels").build()
    torch.manual_seed(5)
    ((_, loss),) = objective(vae, x, LABELS)
    torch.manual_seed(5)
    q = vae.encode(x, LABELS)
    sse = (vae.decode(q.rsample()).image - x).square().sum()
    content = q.content.kl()[q.groups.member_of]  # type: ignore[attr-defined]  # a Grouped posterior
    constant = 0.5 * math.log(2 * math.pi * 0.5)
    torch.testing.assert_close(loss, (sse + q.style.kl().sum() + content.sum()) / x.numel() + constant)
    with pytest.raises(UserError, match="pixels"):
        splitvae.ELBO(scaling="pixel").build()


def test_a_grouped_model_survives_saving(tmp_path: object) -> None:
    vae = model(content_dim=2, fusion="mean", content_draw="sample", group_eps_std=0.1)
    vae.save_pretrained(str(tmp_path))
    loaded = splitvae.VAE.from_pretrained(str(tmp_path))
    x = torch.rand(6, *SHAPE)
    assert torch.equal(loaded.encode(x, LABELS).mean, vae.eval().encode(x, LABELS).mean)
    q = loaded.encode(x, LABELS)
    # Silenced: a Grouped posterior.
    assert (q.draw, q.eps_std, q.content.mean.shape) == ("sample", 0.1, (3, 2))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"content_dim": 7}, "content_dim=7"),
        ({"latent_dim": 1}, "latent_dim=1"),
        ({"fusion": "po"}, "poe"),
        ({"content_draw": "groups"}, "group"),
        ({"group_eps_std": -1.0}, "group_eps_std=-1"),
        ({"group_head_units": -1}, "group_head_units=-1"),
        ({"group_evidence": -2}, "group_evidence=-2"),
        ({"group_evidence": 1, "fusion": "mean"}, "fusion='poe'"),
    ],
)
def test_impossible_contents_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        model(**fields)


def test_the_divergence_of_gaussians_is_torchs() -> None:
    torch.manual_seed(0)
    a, b = (GaussianPosterior(torch.randn(5, 3), torch.randn(5, 3)) for _ in range(2))
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(*(normal(q.mean, (q.logvar / 2).exp()) for q in (a, b)))
    torch.testing.assert_close(kl_divergence(a, b), expected)


def test_pairs_share_the_dimensions_that_differ_least() -> None:
    head = AdaptiveHead(4, 4, Adaptive())
    with torch.no_grad():
        head.mean.weight.copy_(torch.eye(4))
        head.logvar.weight.zero_()
    x = torch.tensor([[0.0, 1.0, 2.0, 5.0], [7.0, 7.0, 7.0, 7.0], [0.1, 1.3, 4.0, 9.0], [7.0, 7.0, 7.0, 8.0]])
    q = head(x, torch.tensor([4, 0, 4, 0]))
    assert type(q) is GaussianPosterior
    assert q.kl().shape == (4,)
    # distances 1/2 (0, 0.09, 4, 16) and 1/2 (0, 0, 0, 1): below half of the largest is shared
    expected = torch.tensor([[0.05, 1.15, 3.0, 5.0], [7.0, 7.0, 7.0, 7.0], [0.05, 1.15, 3.0, 9.0], [7.0, 7.0, 7.0, 8.0]])
    torch.testing.assert_close(q.mean, expected)
    shared = torch.tensor([[1, 1, 1, 0]] * 4).bool()
    torch.testing.assert_close(q.logvar, torch.where(shared, -math.log(2.0), 0.0))
    assert torch.equal(head(x).mean, x)  # alone, nothing is shared


def test_groups_that_are_not_pairs_are_refused() -> None:
    head = AdaptiveHead(4, 4, Adaptive())
    with pytest.raises(UserError, match=r"pair.*group_members=2"):
        head(torch.rand(4, 4), torch.tensor([0, 0, 0, 1]))


def test_groups_of_another_length_are_refused() -> None:
    with pytest.raises(UserError, match="5"):
        model().encode(torch.rand(6, *SHAPE), LABELS[:5])


def test_some_members_give_evidence_in_training_and_all_in_evaluation() -> None:
    vae, x, together = model(group_evidence=1, group_head_units=8), torch.rand(6, *SHAPE), torch.zeros(6, dtype=torch.int64)
    of_all = vae.eval().encode(x, together).content  # type: ignore[attr-defined]  # a Grouped posterior
    of_each = vae.encode(x).content  # type: ignore[attr-defined]  # a Grouped posterior
    of_one = vae.train().encode(x, together).content  # type: ignore[attr-defined]  # a Grouped posterior
    assert (of_all.logvar < of_each.logvar.amin(0)).all()
    assert (of_one.mean == of_each.mean).all(1).any()

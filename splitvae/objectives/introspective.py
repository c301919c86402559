r"""Introspective objectives, in which the encoder learns to distinguish fakes from images, without a third network.

With KL(x) = KL(q(z|x) || N(0, I)) in nats summed over dimensions, E(x) = SSE + ambiguity A + smoothness TV the error of an
image's reconstruction, and

    xr = decode(z), z ~ q(z|x),     xp = decode(zp), zp ~ N(0, I),     L_AE = E(x) / 2 ,

the encoder learns a small KL for images and a large one for fakes (xr and xp), and the decoder learns to generate fakes
whose KL is small:

    IntroVAE       L_E = KL(x) + beta L_AE + alpha ([m - KL(sg xr)]+ + [m - KL(sg xp)]+)
                   L_D = beta L_AE + alpha_decoder (KL(xr) + KL(xp))

    Soft-IntroVAE  L_E = s (beta_rec E(x) + beta_kl KL(x)) + (exp(-2 s F(sg xr)) + exp(-2 s F(sg xp))) / 4
                   L_D = s (beta_rec E(x) + beta_kl (KL(xr) + KL(xp)) / 2 + gamma beta_rec (E(sg xr) + E(sg xp)) / 2)
                   F = beta_rec E + beta_neg KL,     s = 1 / (C H W)

with means over the batch; sg stops gradients, and E of a fake is the error of its own reconstruction. The decoder's loss is
computed after the encoder's optimizer step: its KLs are those of the new encoder, its codes z those of the old one.

A step makes 5 forward passes of the encoder and 2 of the decoder. The encoder encodes x; then xr and xp for its own loss;
then, frozen, xr and xp again for the decoder's loss. The decoder generates xr and xp once for both losses. The encoder's
loss needs only the gradient of the distortion with respect to z from the decoder's graph; it is computed separately, so
that gradients of the decoder's weights are not computed twice. Soft-IntroVAE also reconstructs fakes: 2 more passes of the
decoder for the encoder's loss, and 2 for the decoder's if gamma > 0. If no weight needs fakes, none are drawn or encoded,
and the step is that of the plain VAE: one pass of each network, and the same gradients bit for bit.

References: IntroVAE (Huang et al., 2018), algorithm 1, https://arxiv.org/abs/1807.06358; Soft-IntroVAE (Daniel, Tamar,
2021), algorithm 1 and public code, https://arxiv.org/abs/2012.13253.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UserError, setting
from ..models.groups import Groups, as_groups
from ..models.posteriors import Posterior
from ..models.split import Canvas
from ..models.vae import VAE
from ..utils.correlations import directions, mean_pairwise_correlation
from ..utils.settings import Settings
from .base import Loss, Objective, kl_terms_for_log, spread_for_log, squared_error
from .variance import mean_over_processes

__all__ = ["ForwardPass", "Introspective", "IntrospectiveLoss", "Schedule", "check_weight", "evaluate_schedule", "frozen"]

Schedule = float | Callable[[int], float]  # a weight, or a function that returns the weight at a training step
Group = Groups | Tensor | None
SUGGESTED = {"vae_epochs": 1, "lr": 5e-4, "norm": "group"}  # settings for images without a preset; norm: of the network
POSITIVE_WEIGHTS = ("beta", "margin", "beta_rec", "beta_kl", "weight_kl")
BOUND_REASONS = {  # why a weight cannot be smaller, and what to type
    "alpha": "type alpha=0.25, the paper's, or 0 for a plain VAE",
    "alpha_decoder": "type alpha_decoder=0.5, the official code's, or leave it out for alpha",
    "beta": "without reconstruction a code holds no information about its image; type beta=0.5, or less for large images",
    "margin": "KLs are positive, so a hinge [margin - KL]+ would never be active; type a margin above the images' own KL, "
    "such as margin=10 on MNIST",
    "beta_rec": "without reconstruction a code holds no information about its image; type beta_rec=1",
    "beta_kl": "without the KL no prior is learned to draw samples from; type beta_kl=1",
    "beta_neg": "type beta_neg=256, or less if the KL of fakes is below that of images",
    "gamma": "type gamma=1e-8, the authors', or 0 to save two passes of the decoder",
    "weight_kl": "the other weights are relative to it; type weight_kl=1",
    "margin_ratio": "it is the margin divided by the KL of images; type 1.5, or 0 to give the margin itself",
    "vae_epochs": "it is the number of first epochs that train a plain VAE; type 0 for none",
}


@dataclass(frozen=True)
class Introspective(Objective):
    """The base of the settings of both introspective objectives.

    Arguments:
        vae_epochs: The number of first epochs that train a plain VAE.
    """

    vae_epochs: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weight("vae_epochs", self.vae_epochs)

    def inherit_from(self, previous: Settings) -> dict[str, Any]:
        """Returns what this objective takes over from another one: the weights of the split, and `vae_epochs`."""
        shared = {"vae_epochs": previous.vae_epochs} if isinstance(previous, Introspective) else {}
        return super().inherit_from(previous) | shared

    def warnings(self, latent_dim: int, epochs: int) -> list[str]:
        """Returns warnings about settings that are probably a mistake; see `Objective.warnings`."""
        if 0 < epochs <= self.vae_epochs:
            return [f"all {epochs} epochs train a plain VAE, since vae_epochs={self.vae_epochs}."]
        return []


class ForwardPass(NamedTuple):
    """The result of one pass of both networks over a batch.

    Arguments:
        group: The groups of the images; None if each image is a group of its own.
        posterior: The posterior of the images.
        z: The codes, shape (B, D), drawn from the posterior.
        code: The input of the decoder, shape (B, D): z, which in a training step is detached from the encoder.
        image: The reconstructions xr, shape (B, C, H, W).
        error: The error E of each image, shape (B,).
        kl: The KL of each image, shape (B,), in nats.
    """

    group: Groups | None
    posterior: Posterior
    z: Tensor
    code: Tensor
    image: Tensor
    error: Tensor
    kl: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """Returns the mean of values of shape (B,): over images, or over groups where images share a latent."""
        return values.sum() / self.posterior.units

    def as_loss_of_z(self, loss: Tensor) -> Tensor:
        """Returns a loss of the same value and the same gradient with respect to z, whose graph excludes the decoder.

        The graph of `loss` is kept for the decoder's step.

        Arguments:
            loss: A loss that was computed from `code`.
        """
        (slope,) = torch.autograd.grad(loss, self.code, retain_graph=True)
        inner = (slope * self.z).sum()
        return loss.detach() + (inner - inner.detach())


class IntrospectiveLoss(Loss):
    """The base of the modules of both introspective objectives, whose players are "encoder" and "decoder".

    A training step yields the loss of the encoder and then that of the decoder; the encoder's optimizer must make its step
    before the second loss is requested. In evaluation mode, or without gradients, one loss is yielded, that of the plain
    VAE, KL(x) + beta L_AE.

    `logs` holds, in nats: `loss`, KL(x) + beta L_AE in either mode; `rec`, which is L_AE; `beta`; v = 1 / beta, the
    variance of the Gaussian likelihood that this weight stands for, unless beta is 0; and `kl`. In a training step it also
    holds `kl_real`, which equals `kl`; `loss_encoder`; `loss_decoder`; and `spread`, the standard deviation of the
    reconstructions over the batch divided by that of the images (near 0 all reconstructions are one picture). If fakes were
    drawn, `kl_rec` and `kl_fake` are KL(xr) and KL(xp) in the encoder's loss, `kl_rec_decoder` and `kl_fake_decoder` those
    in the decoder's, and `correlation_real` and `correlation_fake` say how alike the images of the batch and its samples
    are: the correlation of the pixels of two of them, its mean over all pairs.

    Arguments:
        settings: The settings of the objective.
        steps_per_epoch: The number of training steps in an epoch.
    """

    may_collapse: ClassVar[bool] = True

    def __init__(self, settings: Any, steps_per_epoch: int = 1) -> None:
        super().__init__(settings)
        self.vae_steps = settings.vae_epochs * steps_per_epoch

    def players(self, vae: VAE) -> dict[str, list[nn.Parameter]]:
        """Returns the parameters of the encoder, with those of this module, and the parameters of the decoder."""
        return {"encoder": [*vae.encoder.parameters(), *self.parameters()], "decoder": list(vae.decoder.parameters())}

    def validation_step(self, step: int) -> int:
        """Returns `step` itself: weights may be any functions of the step, and these may never end."""
        return step

    def terms_per_group(self) -> frozenset[str]:
        """Returns the names of the terms that are divided by the number of groups; see `Loss.terms_per_group`."""
        of_fakes = {f"{term}_{fake}" for term in ("kl", "hinge") for fake in ("rec", "fake", "rec_decoder", "fake_decoder")}
        return frozenset({"loss", "loss_encoder", "loss_decoder", "rec", "kl", "kl_real", "margin", *of_fakes})

    def code_kls(self, means: Mapping[str, float]) -> dict[str, float]:
        """Returns the KL of images; see `Loss.code_kls`."""
        return {"images": means["kl_real"]} if "kl_real" in means else {}

    def draws_fakes(self, step: int) -> bool:
        """Returns whether samples are drawn in a training step."""
        raise NotImplementedError

    def make_passes(self, vae: VAE, x: Tensor, group: Group, step: int) -> None:
        """Decodes what the decoder is trained on, codes of images and draws of the prior; see `Loss.make_passes`."""
        posterior = vae.encode(x, group)
        vae.decode(posterior.rsample())
        if self.draws_fakes(step):
            vae.decode(posterior.draw_prior())

    def is_training_step(self) -> bool:
        """Returns whether an optimizer step will follow; this is not so for held-out images."""
        return self.training and torch.is_grad_enabled()

    def error(self, canvas: Canvas, x: Tensor) -> Tensor:
        """Returns the error E of each image: the squared error plus the penalties of the split, shape (B,)."""
        return squared_error(canvas.image, x) + self.penalty(canvas)

    def forward_pass(self, vae: VAE, x: Tensor, group: Group, beta: float) -> ForwardPass:
        """Encodes and decodes a batch once, and logs the terms of the plain VAE.

        Arguments:
            vae: The model.
            x: The images, shape (B, C, H, W).
            group: The group of each image, or None.
            beta: The weight of L_AE in the logged bound.
        """
        # Converted once for all passes: to convert a tensor, the CPU has to read its values.
        group = None if group is None else as_groups(group, len(x), x.device)
        posterior = vae.encode(x, group)
        z = posterior.rsample()
        code = z.detach().requires_grad_() if self.is_training_step() else z
        canvas = vae.decode(code)
        image = canvas.image
        sse = squared_error(image, x)
        reals = ForwardPass(group, posterior, z, code, image, sse + self.penalty(canvas), posterior.kl())
        rec, mse = reals.mean(reals.error.detach()) / 2, mean_over_processes(sse.detach().mean() / x[0].numel())
        self.logs = {"mse": mse, "rec": rec, "beta": beta, **kl_terms_for_log(posterior)}
        if beta:
            self.logs["v"] = 1 / beta
        self.logs["loss"] = self.logs["kl"] + beta * rec
        if self.is_training_step():
            self.logs["kl_real"] = self.logs["kl"]
            self.logs["spread"] = spread_for_log(image, x)
        return reals

    def draw_fake(self, vae: VAE, x: Tensor, reals: ForwardPass) -> Tensor:
        """Returns the samples xp, shape (B, C, H, W), and logs how alike they and the images are.

        Arguments:
            vae: The model.
            x: The images, shape (B, C, H, W).
            reals: The pass over them.
        """
        image = vae.decode(reals.posterior.draw_prior()).image
        self.logs |= {
            f"correlation_{name}": mean_pairwise_correlation(directions(pixels.detach().float()))
            for name, pixels in {"real": x, "fake": image}.items()
        }
        return image


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Makes forward passes inside the block compute no gradients of a module's weights; gradients of its input remain."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    for p in trainable:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in trainable:
            p.requires_grad_(True)


def evaluate_schedule(name: str, value: Schedule, step: int) -> float:
    """Returns a weight at a training step.

    The function may return a beta of 0, which rises later; a constant may not.

    Arguments:
        name: The name of the weight.
        value: The weight, or a function of the step.
        step: The training step, counted from 0.

    Raises:
        UserError: If the function returns a weight with which nothing can be trained.
    """
    return check_weight(name, value(step), step) if callable(value) else value


def check_weight(name: str, value: float, step: int | None = None) -> float:
    """Returns a weight after a check.

    Arguments:
        name: The name of the weight.
        value: The weight.
        step: The training step, for the message; None if the weight is a constant.

    Raises:
        UserError: For a weight with which nothing can be trained.
    """
    positive = name in POSITIVE_WEIGHTS and not (name == "beta" and step is not None)
    if (value > 0 if positive else value >= 0) and value < math.inf:
        return value
    at_step = "" if step is None else f" at step {step}"
    bound = "positive" if positive else "a number of at least 0"
    raise UserError(f"{setting(name, value)}{at_step} must be {bound}: {BOUND_REASONS[name]}.")

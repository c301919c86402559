r"""Introspective objectives: the encoder judges what the decoder generates, so that no third network is needed.

With KL(x) = KL(q(z|x) || N(0, I)) in nats summed over dimensions, E(x) = SSE + ambiguity A + smoothness TV the error of an
image's reconstruction, and

    xr = decode(z), z ~ q(z|x),     xp = decode(zp), zp ~ N(0, I),     L_AE = E(x) / 2 ,

the encoder learns a small KL for images and a large one for fakes (xr and xp), the decoder a small one for both:

    IntroVAE       L_E = KL(x) + beta L_AE + alpha ([m - KL(sg xr)]+ + [m - KL(sg xp)]+)
                   L_D = beta L_AE + alpha_decoder (KL(xr) + KL(xp))

    Soft-IntroVAE  L_E = s (beta_rec E(x) + beta_kl KL(x)) + (exp(-2 s F(sg xr)) + exp(-2 s F(sg xp))) / 4
                   L_D = s (beta_rec E(x) + beta_kl (KL(xr) + KL(xp)) / 2 + gamma beta_rec (E(sg xr) + E(sg xp)) / 2)
                   F = beta_rec E + beta_neg KL,     s = 1 / (C H W)

with means over the batch; sg stops gradients, and E of a fake is the error of its own reconstruction. In the decoder's loss
the KLs are those of the encoder after its step, the codes z those before it.

A step makes 5 passes of the encoder (of x; of xr and xp for its own loss, and again, frozen, for the decoder's) and 2 of
the decoder (to xr and xp), whose activations serve both players. Of the decoder's graph the encoder's loss needs only the
slope of the distortion in z: it is computed first and the decoder's weight gradients are not computed twice. Soft-IntroVAE
reconstructs fakes: 2 more passes of the decoder for the encoder's loss, and 2 for its own where gamma > 0. Where no weight
needs fakes none are drawn or encoded; the step is then that of the plain VAE, bit for bit in its gradients, with one pass
of each network.

References: IntroVAE (Huang et al., 2018), algorithm 1, https://arxiv.org/abs/1807.06358; Soft-IntroVAE (Daniel, Tamar,
2021), algorithm 1 and public code, https://arxiv.org/abs/2012.13253.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.groups import Groups, as_groups
from ..models.posteriors import Posterior
from ..models.split import Canvas
from ..models.vae import VAE
from ..utils.settings import Settings
from .base import Loss, Objective, kl_terms_for_log, squared_error
from .variance import mean_over_processes

__all__ = ["ForwardPass", "Introspective", "IntrospectiveLoss", "Schedule", "check_weight", "evaluate_schedule", "frozen"]

Schedule = float | Callable[[int], float]  # a weight, or a function of the step that returns it
Group = Groups | Tensor | None
SUGGESTED_LR = 5e-4
POSITIVE_WEIGHTS = ("beta", "margin", "beta_rec", "beta_kl", "weight_kl")
REASONS = {  # why a weight cannot be smaller, and what to type
    "alpha": "type alpha=0.25, the paper's, or 0 for a plain VAE",
    "alpha_decoder": "type alpha_decoder=0.5, the official code's, or leave it out for alpha",
    "beta": "without reconstruction a code tells nothing about its image; type beta=0.5, or less for large images",
    "margin": "KLs are positive, so a hinge [margin - KL]+ would never be active; type a margin above the images' own KL, "
    "such as margin=10 on MNIST",
    "beta_rec": "without reconstruction a code tells nothing about its image; type beta_rec=1",
    "beta_kl": "without the KL no prior is learned to draw samples from; type beta_kl=1",
    "beta_neg": "type beta_neg=256, or less where fakes have the smaller KL",
    "gamma": "type gamma=1e-8, the authors', or 0 to save two passes of the decoder",
    "weight_kl": "the other weights are relative to it; type weight_kl=1",
    "vae_epochs": "it is the number of first epochs that train a plain VAE; type 0 for none",
}


@dataclass(frozen=True)
class Introspective(Objective):
    """The base of the settings of both introspective objectives.

    Arguments:
        vae_epochs: The number of first epochs that train a plain VAE.
    """

    alarm_weights: ClassVar[tuple[str, ...]] = ()  # those that a remedy may change
    vae_epochs: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weight("vae_epochs", self.vae_epochs)

    def inherited(self, previous: Settings) -> dict[str, Any]:
        """Returns what this objective takes over from another: the weights of the split, and `vae_epochs`."""
        shared = {"vae_epochs": previous.vae_epochs} if isinstance(previous, Introspective) else {}
        return super().inherited(previous) | shared

    def constant_weights(self) -> dict[str, float]:
        """Returns the weights that alarms judge and change: numbers, not functions of the step."""
        weights = {name: getattr(self, name) for name in self.alarm_weights}
        return {name: value for name, value in weights.items() if not callable(value)}

    def warnings(self, latent_dim: int, epochs: int) -> list[str]:
        """Returns what to tell before a training about settings that are seldom meant."""
        if 0 < epochs <= self.vae_epochs:
            return [f"all {epochs} epochs train a plain VAE, since vae_epochs={self.vae_epochs}."]
        return []


class ForwardPass(NamedTuple):
    """The result of one pass of both networks over a batch.

    group, posterior: The groups and the posterior of the images. z: The codes, shape (B, D). code: What was decoded; in
    training it is z, detached from the encoder. image: The reconstructions xr, shape (B, C, H, W). error, kl: E and KL of
    each image, shape (B,).
    """

    group: Groups | None
    posterior: Posterior
    z: Tensor
    code: Tensor
    image: Tensor
    error: Tensor
    kl: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """Returns the mean of values of shape (B,), over groups where images share a latent."""
        return values.sum() / self.posterior.units

    def as_loss_of_z(self, loss: Tensor) -> Tensor:
        """Returns a loss with the value and gradient of `loss`, but as a function of z; the decoder's graph is kept.

        Arguments:
            loss: A loss that was computed from `code`.
        """
        (slope,) = torch.autograd.grad(loss, self.code, retain_graph=True)
        inner = (slope * self.z).sum()
        return loss.detach() + (inner - inner.detach())


class IntrospectiveLoss(Loss):
    """The base of both modules: two players, `encoder` and then `decoder`, and the plain VAE that they share.

    In training two losses are yielded, and each is to be stepped on before the next is requested. In evaluation mode, or
    without gradients, there is one, that of the plain VAE, KL(x) + beta L_AE.

    `logs` holds, in nats: `loss`, that bound in either mode; `rec`, L_AE without its weight; `beta` and v = 1 / beta, the
    variance of the Gaussian likelihood that L_AE stands for; `kl` and its twin `kl_real`. In training it also holds
    `loss_encoder`, `loss_decoder`, and `spread`, the standard deviation of the reconstructions over the batch divided by
    that of the images (near 0 all reconstructions are one picture). Where fakes were drawn, `kl_rec` and `kl_fake` are
    KL(xr) and KL(xp) in the encoder's loss, `kl_rec_decoder` and `kl_fake_decoder` those in the decoder's.

    Arguments:
        settings: The settings of the objective.
        steps_per_epoch: The number of training steps in an epoch.
    """

    may_collapse: ClassVar[bool] = True

    def __init__(self, settings: Any, steps_per_epoch: int = 1) -> None:
        super().__init__(settings)
        self.vae_steps = settings.vae_epochs * steps_per_epoch

    def players(self, vae: VAE) -> dict[str, list[nn.Parameter]]:
        """Returns the parameters of the encoder, with the loss's own, and those of the decoder."""
        return {"encoder": [*vae.encoder.parameters(), *self.parameters()], "decoder": list(vae.decoder.parameters())}

    def validation_step(self, step: int) -> int:
        """Returns the present step: the schedules of these weights are arbitrary functions, which may never end."""
        return step

    def is_training_step(self) -> bool:
        """Returns whether an optimizer step follows; held-out images are only weighed."""
        return self.training and torch.is_grad_enabled()

    def error(self, canvas: Canvas, x: Tensor) -> Tensor:
        """Returns E of each image, the squared error with the split's penalties, shape (B,)."""
        return squared_error(canvas.image, x) + self.penalty(canvas)

    def forward_pass(self, vae: VAE, x: Tensor, group: Group, beta: float) -> ForwardPass:
        """Encodes and decodes a batch once, and logs the plain VAE's terms.

        Arguments:
            vae: The model.
            x: The images, shape (B, C, H, W).
            group: The group of each image, or None.
            beta: The weight of L_AE in the logged bound.
        """
        # Converted once for all passes: a tensor of labels would be read by the CPU in each.
        group = None if group is None else as_groups(group, len(x), x.device)
        posterior = vae.encode(x, group)
        z = posterior.rsample()
        code = z.detach().requires_grad_() if self.is_training_step() else z
        canvas = vae.decode(code)
        image = canvas.image
        sse = squared_error(image, x)
        reals = ForwardPass(group, posterior, z, code, image, sse + self.penalty(canvas), posterior.kl())
        rec, mse = reals.mean(reals.error.detach()) / 2, mean_over_processes(sse.detach().mean() / x[0].numel())
        self.logs = {"mse": mse, "rec": rec, "beta": beta, "v": 1 / beta, **kl_terms_for_log(posterior)}
        self.logs["loss"] = self.logs["kl"] + beta * rec
        if self.is_training_step():
            self.logs["kl_real"] = self.logs["kl"]
            self.logs["spread"] = batch_std(image.detach()) / batch_std(x).clamp_min(1e-12)
        return reals


def batch_std(images: Tensor) -> Tensor:
    """Returns the standard deviation over the batch, averaged over pixels."""
    return images.std(0, correction=0).mean()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Excludes a module's weights from the gradients of forward passes inside; gradients pass through the module."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    for p in trainable:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in trainable:
            p.requires_grad_(True)


def evaluate_schedule(name: str, value: Schedule, step: int) -> float:
    """Returns the weight `name` at a step."""
    return check_weight(name, value(step), step) if callable(value) else value


def check_weight(name: str, value: float, step: int | None = None) -> float:
    """Returns a weight; raises UserError where nothing could be trained with it."""
    positive = name in POSITIVE_WEIGHTS
    if (value > 0 if positive else value >= 0) and value < math.inf:
        return value
    where = "" if step is None else f" at step {step}"
    need = "positive" if positive else "a number of at least 0"
    raise UserError(f"{name}={value}{where} must be {need}: {REASONS[name]}.")

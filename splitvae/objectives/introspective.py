r"""Introspective objectives: the encoder judges what the decoder paints, and no third network is needed.

With KL(x) = KL(q(z|x) || N(0, I)) in nats summed over dimensions, E(x) = SSE + ambiguity A + smoothness TV the error of an
image's reconstruction, and

    xr = decode(z), z ~ q(z|x),     xp = decode(zp), zp ~ N(0, I),     L_AE = E(x) / 2 ,

the encoder wants a small KL for images and a large one for what was painted, the decoder a small one for both:

    IntroVAE       L_E = KL(x) + beta L_AE + alpha ([m - KL(sg xr)]+ + [m - KL(sg xp)]+)
                   L_D = beta L_AE + alpha_decoder (KL(xr) + KL(xp))

    Soft-IntroVAE  L_E = s (beta_rec E(x) + beta_kl KL(x)) + (exp(-2 s F(sg xr)) + exp(-2 s F(sg xp))) / 4
                   L_D = s (beta_rec E(x) + beta_kl (KL(xr) + KL(xp)) / 2 + gamma beta_rec (E(sg xr) + E(sg xp)) / 2)
                   F = beta_rec E + beta_neg KL,     s = 1 / (C H W)

with means over the batch; sg stops gradients, and E of a painted image is that of its own reconstruction. The decoder's
energies are those of the encoder after its step, its codes z those before it.

A step makes 5 passes of the encoder (of x; of xr and xp for its own loss, and again, frozen, for the decoder's) and 2 of
the decoder (to xr and xp), whose activations serve both players: of the decoder the encoder needs only its loss's slope in
z, which is taken first and handed on, so that no weight's gradient is computed in vain. Soft-IntroVAE reconstructs what was
painted: 2 more passes of the decoder for the encoder's loss, and 2 for its own where gamma > 0. Where no weight asks for
fakes none are drawn or encoded; then the step is the plain VAE's, bit for bit in its gradients, with one pass each.

References: IntroVAE (Huang et al., 2018), algorithm 1; Soft-IntroVAE (Daniel, Tamar, 2021), algorithm 1 and public code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.groups import Groups, grouped
from ..models.posteriors import Grouped, Posterior
from ..models.split import Canvas
from ..models.vae import VAE
from .base import Objective, rates, squared_error
from .variance import over_processes

__all__ = ["Introspective", "Schedule"]


Schedule = float | Callable[[int], float]  # a weight, or a function of the step that gives it


Group = Groups | Tensor | None


POSITIVE = ("beta", "margin", "beta_rec", "beta_kl", "weight_kl")


REASONS = {  # why an argument cannot be less than it must, and what to type
    "alpha": "type alpha=0.25, the paper's, or 0 for a plain VAE",
    "alpha_decoder": "type alpha_decoder=0.5, the official code's, or leave it away for alpha",
    "beta": "without reconstruction a code says nothing of its image; type beta=0.5, or less for large images",
    "margin": "KLs are positive, so a hinge [margin - KL]+ would never be active; type a margin above the images' own KL, "
    "such as margin=10 on MNIST",
    "beta_rec": "without reconstruction a code says nothing of its image; type beta_rec=1",
    "beta_kl": "without the KL no prior is learned to draw samples from; type beta_kl=1",
    "beta_neg": "type beta_neg=256, or less where fakes have the smaller KL",
    "gamma": "type gamma=1e-8, the authors', or 0 to save two passes of the decoder",
    "weight_kl": "the other weights are told relative to it; type weight_kl=1",
    "vae_steps": "it is the number of first steps that train a plain VAE; type 0 for none",
}


class Seen(NamedTuple):
    """What one pass of both networks over a batch gave.

    group, posterior: of the images. z: codes, shape (B, D). code: what was decoded, in training z cut off from the encoder.
    image: xr, shape (B, C, H, W). error, kl: E and KL of each image, shape (B,).
    """

    group: Groups | None
    posterior: Posterior
    z: Tensor
    code: Tensor
    image: Tensor
    error: Tensor
    kl: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """The mean of values of shape (B,), over groups where images share a latent."""
        return values.sum() / self.posterior.units

    def prior(self) -> Tensor:
        """Codes from N(0, I), shape (B, D), in the batch's groups: members share a content."""
        q = self.posterior
        if not isinstance(q, Grouped):
            return torch.randn_like(self.z)
        return torch.cat((torch.randn_like(q.style.mean), torch.randn_like(q.content.mean)[q.groups.member_of]), 1)

    def handed_on(self, loss: Tensor) -> Tensor:
        """A loss of `code` with the same value and gradient, but as a function of z; the decoder's graph is kept."""
        (slope,) = torch.autograd.grad(loss, self.code, retain_graph=True)
        inner = (slope * self.z).sum()
        return loss.detach() + (inner - inner.detach())


class Introspective(Objective):
    """The base of both: two players, `encoder` and then `decoder`, and the plain VAE that they share.

    In training two losses are yielded, each to be stepped on before the next is asked for. In evaluation mode, or without
    gradients, there is one, the plain VAE's, KL(x) + beta L_AE.

    `logs` holds, in nats: `loss`, that bound in either mode; `rec`, L_AE without its weight; `beta` and v = 1 / beta, the
    variance of the Gaussian likelihood that L_AE stands for; `kl` and its twin `kl_real`;
    and of training `loss_encoder`, `loss_decoder`, and `spread`, the reconstructions' standard deviation over the batch
    divided by the images' (near 0 all reconstructions are one picture). Where fakes were drawn, `kl_rec` and `kl_fake` are
    KL(xr) and KL(xp) as the encoder's loss has them, `kl_rec_decoder` and `kl_fake_decoder` as the decoder's has them.
    """

    def __init__(self, vae_steps: int = 0, ambiguity: float = 0.0, smoothness: float = 0.0) -> None:
        super().__init__(ambiguity, smoothness)
        self.vae_steps = int(checked("vae_steps", vae_steps))

    def players(self, vae: VAE) -> dict[str, list[nn.Parameter]]:
        """The encoder's parameters with the objective's own, and the decoder's."""
        return {"encoder": [*vae.encoder.parameters(), *self.parameters()], "decoder": list(vae.decoder.parameters())}

    def learns(self) -> bool:
        """Whether a step follows; held-out images are only weighed."""
        return self.training and torch.is_grad_enabled()

    def error(self, canvas: Canvas, x: Tensor) -> Tensor:
        """E of each image, the squared error with the split's penalties, shape (B,)."""
        return squared_error(canvas.image, x) + self.penalty(canvas)

    def look(self, vae: VAE, x: Tensor, group: Group, beta: float) -> Seen:
        """Encodes and decodes a batch, once; `beta` is L_AE's weight in the logged bound."""
        # Counted once for all passes: a tensor of labels would be looked at in each.
        group = None if group is None else grouped(group, len(x), x.device)
        posterior = vae.encode(x, group)
        z = posterior.rsample()
        code = z.detach().requires_grad_() if self.learns() else z
        canvas = vae.decode(code)
        image = canvas.image
        sse = squared_error(image, x)
        seen = Seen(group, posterior, z, code, image, sse + self.penalty(canvas), posterior.kl())
        rec, mse = seen.mean(seen.error.detach()) / 2, over_processes(sse.detach().mean() / x[0].numel())
        self.logs = {"mse": mse, "rec": rec, "beta": beta, "v": 1 / beta, **rates(posterior)}
        self.logs["loss"] = self.logs["kl"] + beta * rec
        if self.learns():
            self.logs["kl_real"] = self.logs["kl"]
            self.logs["spread"] = spread(image.detach()) / spread(x).clamp_min(1e-12)
        return seen


def spread(images: Tensor) -> Tensor:
    """The standard deviation over the batch of each pixel, averaged."""
    return images.std(0, correction=0).mean()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Forward passes inside compute no gradients for a module's weights, then or later; gradients pass through it."""
    learned = [p for p in module.parameters() if p.requires_grad]
    for p in learned:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in learned:
            p.requires_grad_(True)


def at(name: str, value: Schedule, step: int) -> float:
    """A schedule's value at a step."""
    return checked(name, value(step), step) if callable(value) else value


def checked(name: str, value: float, step: int | None = None) -> float:
    """The value of an argument; raises UserError where nothing could be trained with it."""
    positive = name in POSITIVE
    if (value > 0 if positive else value >= 0) and value < math.inf:
        return value
    where = "" if step is None else f" at step {step}"
    need = "positive" if positive else "a number of at least 0"
    raise UserError(f"{name}={value}{where} must be {need}: {REASONS[name]}.")

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
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .balance import over_processes
from .errors import UserError, nearest
from .groups import Groups, grouped
from .objectives import Objective, Turns, rates, squared_error
from .posteriors import Grouped, Posterior
from .split import Canvas
from .vae import VAE

__all__ = ["HINGES", "Intro", "Introspective", "Schedule", "SoftIntro", "from_official", "from_yukunchen", "hinge"]

Schedule = float | Callable[[int], float]  # a weight, or a function of the step that gives it
Group = Groups | Tensor | None
HINGES = ("batch", "sample")
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


class Intro(Introspective):
    """The IntroVAE's objective, in the paper's units: KLs in nats, L_AE half a sum of squares.

    Arguments:
        alpha: weight of the encoder's hinges; 0 is a plain VAE.
        beta: weight of L_AE; positive. The images' KL grows with it, and the margin must with that.
        margin: m, the KL in nats that fakes are driven to; positive, and above the images' own KL.
        alpha_decoder: weight of the fakes' KLs in the decoder's loss; None is alpha, as in the paper.
        hinge: "batch" takes [m - KL]+ of the batch's mean KL, as both public codes, "sample" the mean of each image's.
        vae_steps: first steps that train a plain VAE, both alphas being 0.
        ambiguity, smoothness: as in `Objective`.

    alpha, beta, margin and alpha_decoder may be functions of the step. `logs` has them too, and the `hinge_rec` and
    `hinge_fake` without their weight.
    """

    def __init__(
        self,
        alpha: Schedule = 0.25,
        beta: Schedule = 0.5,
        margin: Schedule = 10.0,
        alpha_decoder: Schedule | None = None,
        hinge: str = "batch",
        vae_steps: int = 0,
        ambiguity: float = 0.0,
        smoothness: float = 0.0,
    ) -> None:
        super().__init__(vae_steps, ambiguity, smoothness)
        if hinge not in HINGES:
            raise UserError(f"hinge={hinge!r} is unknown; {nearest(hinge, HINGES)}")
        for name, value in {"alpha": alpha, "beta": beta, "margin": margin, "alpha_decoder": alpha_decoder}.items():
            if value is not None and not callable(value):
                checked(name, value)
        self.alpha, self.beta, self.margin, self.alpha_decoder, self.hinge = alpha, beta, margin, alpha_decoder, hinge

    def weights(self, step: int) -> tuple[float, float, float, float]:
        """alpha, alpha_decoder, beta and m at a step."""
        begun = step >= self.vae_steps
        alpha = at("alpha", self.alpha, step) if begun else 0.0
        painted = at("alpha_decoder", self.alpha_decoder, step) if begun and self.alpha_decoder is not None else alpha
        return alpha, painted, at("beta", self.beta, step), at("margin", self.margin, step)

    def forward(self, vae: VAE, x: Tensor, group: Group = None, step: int = 0) -> Turns:
        alpha, painted, beta, margin = self.weights(step)
        seen = self.look(vae, x, group, beta)
        distortion, loss = seen.mean(beta / 2 * seen.error), seen.mean(seen.kl)
        self.logs |= {"alpha": alpha, "alpha_decoder": painted, "margin": margin}
        if not self.learns():
            yield "encoder", loss + distortion
            return
        loss = loss + seen.handed_on(distortion)
        fakes = {"rec": seen.image}
        if alpha or painted:
            fakes["fake"] = vae.decode(seen.prior()).image
        for name, image in fakes.items() if alpha else ():
            kl = vae.encode(image.detach(), seen.group).kl()
            height = hinge(kl, margin, seen.posterior.units, self.hinge)
            loss = loss + alpha * height
            self.logs |= {f"kl_{name}": seen.mean(kl.detach()), f"hinge_{name}": height.detach()}
        self.logs["loss_encoder"] = loss.detach()
        yield "encoder", loss
        loss = distortion
        for name, image in fakes.items() if painted else ():
            with frozen(vae.encoder):
                kl = seen.mean(vae.encode(image, seen.group).kl())
            loss = loss + painted * kl
            self.logs[f"kl_{name}_decoder"] = kl.detach()
        self.logs["loss_decoder"] = loss.detach()
        yield "decoder", loss


class SoftIntro(Introspective):
    """The Soft-IntroVAE's objective: no margin, and the whole bound of fakes, not their KL alone, is what is raised.

    Arguments:
        beta_rec, beta_kl: weights of the sum of squares and of the KL; positive. The bound is that of Intro's
            beta = 2 beta_rec / beta_kl.
        beta_neg: weight of fakes' KLs in the encoder's loss.
        gamma: weight of the fakes' reconstruction in the decoder's; the authors' 1e-8 is nearly none, 0 saves two passes.
        vae_steps: first steps that train a plain VAE.
        ambiguity, smoothness: as in `Objective`.

    `logs` has also the mean of the encoder's exponentials, `exp_rec` and `exp_fake`, each in (0, 1]. In the encoder's loss
    the public code lets the gradient of E(xr) into xr as well; here, as everywhere, what was painted is held fixed.
    """

    def __init__(
        self,
        beta_rec: float = 1.0,
        beta_kl: float = 1.0,
        beta_neg: float = 256.0,
        gamma: float = 1e-8,
        vae_steps: int = 0,
        ambiguity: float = 0.0,
        smoothness: float = 0.0,
    ) -> None:
        super().__init__(vae_steps, ambiguity, smoothness)
        self.beta_rec, self.beta_kl = checked("beta_rec", beta_rec), checked("beta_kl", beta_kl)
        self.beta_neg, self.gamma = checked("beta_neg", beta_neg), checked("gamma", gamma)

    def forward(self, vae: VAE, x: Tensor, group: Group = None, step: int = 0) -> Turns:
        seen = self.look(vae, x, group, beta=2 * self.beta_rec / self.beta_kl)
        if not self.learns():
            yield "encoder", seen.mean(seen.kl + self.beta_rec / self.beta_kl * seen.error)
            return
        scale = 1 / x[0].numel()
        rec, rate = scale * self.beta_rec, scale * self.beta_kl
        distortion = seen.mean(rec * seen.error)
        loss = seen.mean(rate * seen.kl) + seen.handed_on(distortion)
        fakes = {}
        if step >= self.vae_steps:
            fakes = {"rec": seen.image, "fake": vae.decode(seen.prior()).image}
        for name, image in fakes.items():
            image = image.detach()
            posterior = vae.encode(image, seen.group)
            with frozen(vae.decoder):
                again = vae.decode(posterior.rsample())
            kl = posterior.kl()
            rise = torch.exp(-2 * (rec * self.error(again, image) + scale * self.beta_neg * kl))
            loss = loss + seen.mean(rise) / 4
            self.logs |= {f"kl_{name}": seen.mean(kl.detach()), f"exp_{name}": rise.detach().mean()}
        self.logs["loss_encoder"] = loss.detach()
        yield "encoder", loss
        loss = distortion
        for name, image in fakes.items():
            with frozen(vae.encoder):
                posterior = vae.encode(image, seen.group)
            kl = seen.mean(posterior.kl())
            loss = loss + rate * kl / 2
            self.logs[f"kl_{name}_decoder"] = kl.detach()
            if self.gamma:
                again = vae.decode(posterior.rsample().detach())
                loss = loss + self.gamma * rec / 2 * seen.mean(self.error(again, image.detach()))
        self.logs["loss_decoder"] = loss.detach()
        yield "decoder", loss


def from_official(weight_rec: float, weight_neg: float, m: float, weight_kl: float = 1.0) -> dict[str, Any]:
    """Arguments of `Intro` for the options of hhb072's public code.

    Its reconstruction is a whole sum of squares, its hinges weigh weight_neg / 2, and its generator's KLs 1/2 whatever
    weight_neg is: beta = 2 weight_rec / weight_kl, alpha = weight_neg / 2, alpha_decoder = 1/2. Gradients are then
    1 / weight_kl times that code's, a factor that Adam does not feel. Its VAE epochs have weights of 1, that is beta = 2.
    """
    beta = 2 * weight_rec / checked("weight_kl", weight_kl)
    return {"alpha": weight_neg / 2, "beta": beta, "margin": m, "alpha_decoder": 0.5, "hinge": "batch"}


def from_yukunchen(alpha: Schedule, m: Schedule, beta: Schedule) -> dict[str, Any]:
    """Arguments of `Intro` for the (alpha, m, beta) of yukunchen113's public code and README; each may follow the step.

    The units are the same, but beta must be positive from the first step on, as min((step + 1) / 50_000, 1) is. That code
    draws z anew for the decoder's step, from the encoder after its own.
    """
    return {"alpha": alpha, "beta": beta, "margin": m, "alpha_decoder": None, "hinge": "batch"}


def hinge(kl: Tensor, margin: float, units: int, kind: str = "batch") -> Tensor:
    """[margin - KL]+ of KLs (B,): of their mean ("batch"), or the mean of each one's ("sample").

    Images that share a latent have a share of the margin each.
    """
    if kind == "batch":
        return torch.relu(margin - kl.sum() / units)
    return torch.relu(margin * units / len(kl) - kl).sum() / units


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

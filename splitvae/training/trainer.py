"""TODO docstring of training.trainer."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ..config import Config
from ..data.images import Images
from ..errors import UserError
from ..models.groups import Groups
from ..models.vae import VAE
from ..networks.batchnorm import refresh_statistics
from ..objectives.base import Objective
from ..objectives.introspective import Introspective
from ..runs import Run
from ..utils.files import write_json
from ..utils.machine import keep_freed_memory
from .alarms import TERMS, Alarmed, judge, non_finite, weights_of
from .checkpoints import STATE, keep, save
from .fabric import Together, alone, aside, average, engine, home, over
from .interrupts import Interrupted
from .monitor import Monitor
from .previews import SampleDistance, due, picture
from .sample_order import Order, ordered
from .schedules import scale_rate, scheduler
from .setup import held_out, labels_for

__all__ = ["Training", "judged"]


# ---------------------------------------------------------------- what follows


def judged(training: Training, totals: Mapping[str, tuple[float, int]]) -> bool:
    """Whether an epoch with these sums and counts ends in a good checkpoint; raises Alarmed unless it is to warn alone."""
    means = training.monitor.windows.add(totals, training.monitor.steps)
    if not isinstance(training.objective, Introspective):
        return True
    found = judge(means or {}, weights_of(training.objective), "kl_fake" in totals)
    if found and training.config.on_alarm != "warn":
        raise Alarmed(found)
    for alarm in found:
        training.monitor.note(f"Warning: {alarm}")
    return means is not None and not found and all(name in means for name in TERMS if name in totals)


LOOK = 20  # steps between two looks at the device


MINUTES = 5  # between checkpoints within an epoch


SETTLED = 2**62  # a step at which every schedule of the KL has ended: validation losses of all epochs compare


REFRESH, LAST_REFRESH = 20, 100  # most batches over which BatchNorm's statistics are recomputed, and at the end


class Training:
    """One run's moving parts, made from a model, an objective, images and a config."""

    def __init__(self, vae: VAE, objective: Objective, images: Images, config: Config) -> None:
        self.config = config
        self.fabric: Fabric = engine(config)
        self.together = over(self.fabric)
        keep_freed_memory()
        device = self.fabric.device
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(config.seed))
        held = held_out(len(images), config)
        pixels = images.pixels
        where = home(pixels, device)
        self.images, self.distance = images, cast(SampleDistance | None, None)
        apart, kept = order[:held].sort().values, order[held:].sort().values
        self.held, self.pixels = pixels[apart].to(where), pixels[kept].to(where)
        labels = labels_for(images, config, vae)
        self.labels = None if labels is None else labels[kept]
        self.held_labels = None if labels is None else labels[apart]
        self.pairs = vae.pairs
        self.steps = len(self.order(0).rows) // (config.batch_size * self.fabric.world_size)

        self.vae = vae.train()
        self.objective = objective.to(device)
        if config.compile:
            vae.encoder.compile()
            vae.decoder.compile()
        wrapped = self.fabric.setup_module(vae)
        wrapped.mark_forward_method("encode")
        wrapped.mark_forward_method("decode")
        self.players = objective.players(vae)
        # The wrapper averages gradients over processes where one backward pass reaches every parameter. Players take turns,
        # and their losses may take a gradient themselves: theirs are averaged here, as are those of the objective's own.
        one = len(self.players) == 1
        self.model = wrapped if one else vae
        self.apart = {name: list(objective.parameters()) if one else params for name, params in self.players.items()}
        if isinstance(objective, Introspective) and config.vae_epochs and not objective.vae_steps:
            objective.vae_steps = config.vae_epochs * self.steps
        # Keras's epsilon, as the paper's code; fused where the device has the kernel.
        fused = device.type in ("cpu", "cuda", "mps")
        self.optimizers: dict[str, Any] = {
            name: self.fabric.setup_optimizers(torch.optim.Adam(params, lr=config.lr, eps=1e-7, fused=fused))
            for name, params in self.players.items()
        }
        self.schedulers = [scheduler(o, config) for o in self.optimizers.values()]
        self.average = copy.deepcopy(vae).requires_grad_(False) if config.ema else None
        self.epoch, self.step, self.best, self.lr = 0, 0, float("inf"), config.lr
        self.guarded = isinstance(objective, Introspective) or config.on_alarm == "rollback"  # good checkpoints are kept
        self.monitor = Monitor(device, config.batch_size * self.fabric.world_size)

    def run_epoch(self, run: Run, interrupted: Callable[[], bool]) -> None:
        """Trains on what is left of this epoch's batches."""
        saved = time.monotonic()
        for x, group in self.batches():
            self.turn(x, group)
            if interrupted():
                self.check(alone)  # the other processes may be within a step
                self.monitor.look()
                self.save(run)
                raise Interrupted(run.path, self.epoch, self.step)
            if self.step % LOOK == 0:
                self.check(self.together)
                self.monitor.look()
                if time.monotonic() - saved > 60 * MINUTES:
                    self.save(run)
                    saved = time.monotonic()

    def check(self, together: Together) -> None:
        """Raises Alarmed where a loss, a gradient or a weight has not been finite."""
        found = self.monitor.non_finite(self.step, self.vae.state_dict().values(), together)
        if found is not None:
            raise Alarmed([non_finite(*found, self.config.lr)])

    def order(self, epoch: int) -> Order:
        """The order of an epoch's images, and their groups where images share something; it follows from the seed."""
        seeds = torch.Generator().manual_seed(self.config.seed * 1_000_003 + epoch)
        if self.labels is None:
            return Order(torch.randperm(len(self.pixels), generator=seeds)).to(self.pixels.device)
        members = 2 if self.pairs else self.config.members
        return ordered(self.labels, members, seeds, self.pairs).to(self.pixels.device)

    def batches(self) -> Iterator[tuple[Tensor, Groups | None]]:
        """What is left of this epoch's batches: float images in [0, 1], (B, C, H, W), channels last, and their groups."""
        order = self.order(self.epoch)
        size, world, rank = self.config.batch_size, self.fabric.world_size, self.fabric.global_rank
        if world > 1:  # each process has noise of its own
            torch.manual_seed((self.config.seed * 1_000_003 + self.epoch) * world + rank)
        for i in range(self.step - self.epoch * self.steps, self.steps):
            yield self.batch(order, (i * world + rank) * size, size)

    def batch(self, order: Order, start: int, size: int) -> tuple[Tensor, Groups | None]:
        """One batch of the training images."""
        rows, group = order.part(start, size)
        x = self.prepared(self.pixels[rows])
        return x, None if group is None else group.to(x.device)

    def prepared(self, pixels: Tensor) -> Tensor:
        """uint8 images as the network reads them, mirrored at random where that is asked for."""
        x = pixels.to(self.fabric.device, non_blocking=True).float().div_(255)
        if self.config.mirror:
            flip = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            x = torch.where(flip, x.flip(3), x)
        return x.contiguous(memory_format=torch.channels_last)

    def turn(self, x: Tensor, group: Groups | None = None) -> None:
        """One step of every player."""
        turns = self.objective(self.model, x, group, self.step)
        while True:
            # On a single device Fabric's wrapper leaves marked methods without autocast, in silence.
            with self.fabric.autocast():
                turn = next(turns, None)
            if turn is None:
                break
            player, loss = turn
            optimizer = self.optimizers[player]
            optimizer.zero_grad()
            self.fabric.backward(loss)
            if self.fabric.world_size > 1:
                average(self.apart[player], self.together)
            self.monitor.count(self.step, player, loss, self.players[player])
            optimizer.step()
        self.monitor.add(self.objective.logs)
        if self.average is not None:
            with torch.no_grad():
                # Less at first, so that the beginning, which is noise, does not stay in it.
                decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
                torch._foreach_lerp_(list(self.average.parameters()), list(self.vae.parameters()), 1 - decay)
        self.step += 1

    def close_epoch(self, run: Run) -> None:
        """Judges, validates, moves the learning rate, and writes model, checkpoint, history and picture."""
        self.monitor.look()
        self.check(self.together)
        totals = self.monitor.totals(self.together)
        good = judged(self, totals)
        self.refresh()
        self.check(self.together)  # before anything is written
        held = self.validate() | self.distances(run)
        lr = next(iter(self.optimizers.values())).param_groups[0]["lr"]
        self.epoch += 1
        self.monitor.close(self.epoch, self.step, lr, held, totals)
        for s in self.schedulers:
            s.step(held["val_loss"]) if isinstance(s, ReduceLROnPlateau) else s.step()
        better = held.get("val_loss", -float("inf")) < self.best
        self.best = min(self.best, held.get("val_loss", self.best))
        if self.fabric.is_global_zero:
            if better or not self.config.best:
                run.save_model(self.final)
            self.save(run)
            if good and self.guarded:
                keep(run.path)
            self.monitor.write()
            if due(self.epoch, self.config.pictures, self.config.epochs):
                picture(run.path / "figures", self.final.eval(), self.epoch)
                self.vae.train()

    @property
    def final(self) -> VAE:
        """The weights that are kept: their average where one is taken."""
        return self.average if self.average is not None else self.vae

    def refresh(self) -> None:
        """Recomputes BatchNorm's statistics over training batches: with momentum .999 a short run's are far off."""
        last = self.epoch + 1 == self.config.epochs
        count = min(self.steps, LAST_REFRESH if last else min(REFRESH, 4 + self.steps // 10))
        size = self.config.batch_size
        with aside(self.fabric, self.config.seed):
            order = self.order(-1)  # that of no epoch
            picked = (self.batch(order, i * size, size) for i in range(count))
            refresh_statistics(self.final, ({"x": x, "group": group} for x, group in picked))
        self.vae.train()

    def distances(self, run: Run) -> dict[str, float]:
        """The Frechet distances of samples, in the epochs that ask for them."""
        if not self.fabric.is_global_zero or not due(self.epoch + 1, self.config.fid, self.config.epochs):
            return {}
        if self.distance is None:
            self.distance = SampleDistance(self.images, self.config, self.fabric.device)
            write_json(run.path / "distances.json", self.distance.about)
        with aside(self.fabric, self.config.seed):
            found = self.distance(self.final.eval())
        self.vae.train()
        return found

    def validate(self) -> dict[str, float]:
        """Mean terms of the objective over the held-out images, in evaluation mode, with the same noise every epoch."""
        if not len(self.held):
            return {}
        model = self.final.eval()
        self.objective.eval()
        total: dict[str, float] = {}
        step = self.step if isinstance(self.objective, Introspective) else SETTLED  # whose schedules may not end
        with aside(self.fabric, self.config.seed):
            for x, group in self.held_batches():
                for _ in self.objective(model, x, group, step):
                    pass
                for name in ("loss", "mse", "kl"):
                    total[name] = total.get(name, 0.0) + float(self.objective.logs[name]) * len(x) / len(self.held)
        self.objective.train()
        self.vae.train()
        return {f"val_{name}": value for name, value in total.items()}

    def held_batches(self) -> Iterator[tuple[Tensor, Groups | None]]:
        """The held-out images, in groups of the same kind as in training, the same in every epoch."""
        order, size = Order(torch.arange(len(self.held))), 500
        if self.held_labels is not None:
            seeds, size = torch.Generator().manual_seed(self.config.seed), self.config.batch_size
            order = ordered(self.held_labels, 2 if self.pairs else self.config.members, seeds, self.pairs)
        order = order.to(self.held.device)
        for start in range(0, len(order.rows), size):
            rows, group = order.part(start, size)
            x = self.held[rows].to(self.fabric.device).float().div(255)
            yield x.contiguous(memory_format=torch.channels_last), None if group is None else group.to(x.device)

    # -- state -----------------------------------------------------------------------------------------------------

    def save(self, run: Run) -> None:
        """Writes the checkpoint in one piece."""
        if self.fabric.is_global_zero:
            save(run.path / STATE, self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Everything the next step depends on."""
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "images": len(self.pixels),
            "steps": self.steps,
            "best": self.best,
            "lr": self.lr,
            "vae": self.vae.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
            "schedulers": [s.state_dict() for s in self.schedulers],
            "monitor": self.monitor.state_dict(),
            "random": torch.get_rng_state(),
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        if self.fabric.device.type == "cuda":
            state["random_cuda"] = torch.cuda.get_rng_state(self.fabric.device)
        if self.fabric.device.type == "mps":
            state["random_mps"] = torch.mps.get_rng_state()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state; raises UserError where it is of other images or steps."""
        before, now = (state["images"], state["steps"]), (len(self.pixels), self.steps)
        if before != now:
            raise UserError(
                f"the checkpoint was trained on {before[0]} images in {before[1]} steps an epoch, now there are {now[0]} "
                f"and {now[1]}; give the same images and --devices to go on, or another --out to start anew."
            )
        self.vae.load_state_dict(state["vae"])
        self.objective.load_state_dict(state["objective"])
        for name, o in self.optimizers.items():
            o.load_state_dict(state["optimizers"][name])
        for s, value in zip(self.schedulers, state["schedulers"], strict=True):
            s.load_state_dict(value)
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.monitor.load_state_dict(state["monitor"])
        self.epoch, self.step, self.best = state["epoch"], state["step"], state["best"]
        self.lr = state["lr"]
        self.follow_rate()
        torch.set_rng_state(state["random"])
        if "random_cuda" in state and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], self.fabric.device)
        if "random_mps" in state and self.fabric.device.type == "mps":
            torch.mps.set_rng_state(state["random_mps"])

    def follow_rate(self) -> None:
        """Brings the learning rate, wherever its schedule stands, from the one trained with to the config's."""
        scale_rate(self.optimizers, self.schedulers, self.config.lr / self.lr)
        self.lr = self.config.lr

"""The trainer, which holds everything that changes from step to step and makes the steps, on lightning-fabric.

A step reads no value back from the device: terms are summed there and read once in `CHECK_EVERY_STEPS` steps. Everything on
which a step depends is in `state_dict()` (parameters, optimizers, variance, averages, random streams, position in the
epoch), and the order of an epoch is determined by the seed and the number of the epoch. So a resumed run on a CPU has the
same results bit for bit as one without interruption. On a GPU some kernels add in an order of their own, such as that of
the gradient of a bilinear resize, and the last digits of any two runs may differ.

With several processes each has a random stream of its own, which is determined by the seed, the step and its rank, and
processes act together: they stop after Ctrl-C, and write checkpoints, only at a step at which values are checked.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ..config import Config
from ..data.images import Images
from ..models.groups import Groups
from ..models.vae import VAE
from ..networks.layers import recompute_batchnorm, renew_spectral_norms
from ..objectives.base import Loss, Objective
from ..runs import Run
from ..utils.collectives import all_reduce, barrier
from ..utils.machine import has_fused_adam, keep_freed_memory, needs_most_cores, shorten_time_slices
from ..utils.random_streams import isolated_randomness
from ..utils.turns import Turns
from .alarms import Alarmed, non_finite_alarm, non_finite_validation_alarm
from .batches import TrainingImages
from .checkpoints import STATE, mark_good, write_checkpoint
from .fabric import average_gradients, isolated_evaluation, launch_fabric
from .interrupts import Interrupted
from .monitor import Monitor
from .previews import SampleDistance, draw_preview, is_due
from .schedules import build_learning_rate_schedule, scale_learning_rate, warmed_up
from .state import check_continuable, random_state, restore_random_state
from .validation import measure_held_out
from .windows import check_window

__all__ = ["Trainer"]

CHECK_EVERY_STEPS = 20  # between two checks that values are finite, which read from the device
CHECKPOINT_EVERY_MINUTES = 5  # within an epoch
BATCHNORM_BATCHES = 20  # the number of batches, at most, by which BatchNorm is recomputed after an epoch
LAST_BATCHNORM_BATCHES = 100  # the same after the last epoch


class Trainer:
    """Trains a model on images, step by step.

    Arguments:
        vae: The model, which is trained in place.
        objective: The objective, or a loss that it built.
        images: The training images, in the model's shape.
        config: The settings.
    """

    def __init__(self, vae: VAE, objective: Objective | Loss, images: Images, config: Config) -> None:
        self.config = config
        self.fabric: Fabric = launch_fabric(config.hardware)
        keep_freed_memory()
        shorten_time_slices()
        device, processes = self.fabric.device, self.fabric.world_size
        # The processes of one training wait for each other and so compute at once; with an accelerator, cores mostly wait.
        self.turns = Turns(active=device.type == "cpu" and processes == 1 and needs_most_cores())
        self.images = TrainingImages(images, config, vae, device)
        self.steps_per_epoch = self.images.batches_per_epoch(processes)

        self.vae = vae.train()
        self.loss = objective if isinstance(objective, Loss) else objective.build(self.steps_per_epoch)
        self.loss.to(device)
        if config.hardware.compile:
            vae.encoder.compile()
            vae.decoder.compile()
        wrapped = self.fabric.setup_module(vae)
        wrapped.mark_forward_method("encode")
        wrapped.mark_forward_method("decode")
        self.players = self.loss.players(vae)
        # Gradients are averaged over processes here. Fabric's wrapper does it only if each backward pass reaches all
        # parameters, which it does not with several players, and it does it in another order, so with another rounding, in
        # the first step after a resume.
        self.model = wrapped if self.fabric.world_size == 1 and len(self.players) == 1 else vae
        # The epsilon is that of Keras, as in the paper's code. Adam is fused on devices that have the kernel.
        fused, lr = has_fused_adam(device), config.training.lr
        self.optimizers: dict[str, Any] = {
            name: self.fabric.setup_optimizers(torch.optim.Adam(params, lr=lr, eps=1e-7, fused=fused))
            for name, params in self.players.items()
        }
        self.schedulers = [build_learning_rate_schedule(o, config.training) for o in self.optimizers.values()]
        self.ema_model = copy.deepcopy(vae).requires_grad_(False) if config.training.ema else None
        self.epoch, self.step, self.best, self.lr = 0, 0, float("inf"), lr
        self.keeps_good_checkpoint = self.loss.may_collapse or config.monitoring.on_alarm == "rollback"
        self.monitor = Monitor(device, config.training.batch_size * processes)
        self.sample_distance: SampleDistance | None = None

    @property
    def saved_model(self) -> VAE:
        """The model that is saved: the moving average of the weights if there is one."""
        return self.ema_model if self.ema_model is not None else self.vae

    # -- one epoch -------------------------------------------------------------------------------------------------

    def train_epoch(self, run: Run, is_interrupted: Callable[[], bool]) -> None:
        """Trains on the remaining batches of the epoch.

        Arguments:
            run: The run, into whose folder checkpoints are written.
            is_interrupted: A function that returns whether Ctrl-C was pressed.

        Raises:
            Alarmed: If a value is not finite.
            Interrupted: After Ctrl-C, when the checkpoint is written.
        """
        last_save = time.monotonic()
        for x, group in self.batches():
            self.train_step(x, group)
            stops = is_interrupted()
            if self.step % CHECK_EVERY_STEPS and not (stops and self.fabric.world_size == 1):
                self.monitor.announce_stop(stops, self.step + CHECK_EVERY_STEPS - self.step % CHECK_EVERY_STEPS)
                continue
            self.check_finite()
            self.monitor.update_progress_bar()
            stops = self.any_process(stops)
            if self.any_process(stops or time.monotonic() - last_save > 60 * CHECKPOINT_EVERY_MINUTES):
                self.save(run)
                last_save = time.monotonic()
            if stops:
                barrier(self.fabric.device)  # when one process has ended, the others are killed: the checkpoint comes first
                raise Interrupted(run.path, self.epoch, self.step)

    def batches(self) -> Iterator[tuple[Tensor, Groups | None]]:
        """Yields the remaining batches of the epoch: images (B, C, H, W), floats in [0, 1], and their groups."""
        processes, rank = self.fabric.world_size, self.fabric.global_rank
        order, size = self.images.epoch_order(self.epoch), self.config.training.batch_size
        first_step = self.epoch * self.steps_per_epoch
        for i in range(self.step - first_step, self.steps_per_epoch):
            if processes > 1:  # other noise in each process, which a resumed run draws again
                torch.manual_seed((self.config.training.seed * 1_000_003 + first_step + i) * processes + rank)
            yield self.images.batch(order, (i * processes + rank) * size)

    def train_step(self, x: Tensor, group: Groups | None = None) -> None:
        """Makes one optimizer step of every player.

        Arguments:
            x: The images, shape (B, C, H, W), floats in [0, 1].
            group: The groups of the images, if the latent needs them.
        """
        self.turns.take()
        losses = self.loss(self.model, x, group, self.step)
        while True:
            # On a single device Fabric's wrapper does not apply autocast to marked methods, and gives no warning.
            with self.fabric.autocast():
                player_loss = next(losses, None)
            if player_loss is None:
                break
            player, loss = player_loss
            optimizer = self.optimizers[player]
            optimizer.zero_grad()
            self.fabric.backward(loss)
            if self.fabric.world_size > 1:
                average_gradients(self.players[player])
            self.monitor.record_gradient(self.step, player, loss, self.players[player])
            with warmed_up(optimizer, self.step):
                optimizer.step()
        if group is not None and self.vae.has_group_terms:
            self.monitor.add_terms(self.loss.logs, self.loss.terms_per_group(), group.total / len(x))
        else:
            self.monitor.add_terms(self.loss.logs)
        if self.ema_model is not None:
            with torch.no_grad():
                # The decay is smaller in the first steps, so that the average forgets the untrained weights.
                decay = min(self.config.training.ema, (1 + self.step) / (10 + self.step))
                averages, weights = self.ema_model.parameters(), self.vae.parameters()
                torch._foreach_lerp_(list(averages), list(weights), 1 - decay)
        self.step += 1

    def close_epoch(self, run: Run) -> None:
        """Finds alarms, validates, changes the learning rate, and writes the model, checkpoint, history and preview.

        Raises:
            Alarmed: If there is an alarm; no file was written then.
        """
        monitor, monitoring, training = self.monitor, self.config.monitoring, self.config.training
        monitor.update_progress_bar()
        self.check_finite()
        totals = monitor.totals()
        is_good, alarms, warnings = check_window(monitor.windows, totals, monitor.steps, self.loss)
        if alarms and monitoring.on_alarm != "warn":
            raise Alarmed(alarms)
        for alarm in [*alarms, *warnings]:
            monitor.note(f"Warning: {alarm}")
        self.recompute_batchnorm()
        self.check_finite()  # before anything is written
        held_out = self.validate()
        if lost := [name for name, value in held_out.items() if not math.isfinite(value)]:
            alarm = non_finite_validation_alarm(lost, training.lr)
            if monitoring.on_alarm != "warn":
                raise Alarmed([alarm])
            monitor.note(f"Warning: {alarm}")
            held_out = {name: value for name, value in held_out.items() if name not in lost}
        self.turns.end()  # what follows may take minutes
        held_out |= self.measure_distances(run)
        lr = next(iter(self.optimizers.values())).param_groups[0]["lr"]
        self.epoch += 1
        monitor.close_epoch(self.epoch, self.step, lr, held_out, totals)
        for scheduler in self.schedulers:
            if not isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step()
            elif "val_loss" in held_out:
                scheduler.step(held_out["val_loss"])
        is_better = held_out.get("val_loss", math.inf if lost else -math.inf) < self.best
        self.best = min(self.best, held_out.get("val_loss", self.best))
        if self.fabric.is_global_zero and (is_better or not training.best):
            run.save_model(self.saved_model)
        self.save(run)
        if self.fabric.is_global_zero:
            if is_good and self.keeps_good_checkpoint:
                mark_good(run.path)
            monitor.write_epoch()
            if is_due(self.epoch, monitoring.preview_every, training.epochs):
                draw_preview(run.path / "figures", self.saved_model.eval(), self.epoch)
                self.vae.train()

    # -- parts of an epoch -----------------------------------------------------------------------------------------

    def check_finite(self) -> None:
        """Raises Alarmed if a loss, a gradient or a weight was not finite; all processes must call this."""
        first = self.monitor.first_non_finite(self.step, self.vae.state_dict().values())
        if first is not None:
            raise Alarmed([non_finite_alarm(*first, self.config.training.lr)])

    def any_process(self, condition: bool) -> bool:
        """Returns whether a condition holds in any process; all processes must call this."""
        if self.fabric.world_size == 1:
            return condition
        return bool(all_reduce(torch.tensor(float(condition), device=self.fabric.device), "max") > 0)

    def recompute_batchnorm(self) -> None:
        """Recomputes the statistics of BatchNorm, which after a short run with momentum 0.999 are far from true."""
        is_last = self.epoch + 1 == self.config.training.epochs
        most = LAST_BATCHNORM_BATCHES if is_last else min(BATCHNORM_BATCHES, 4 + self.steps_per_epoch // 10)
        size = self.config.training.batch_size
        if self.ema_model is not None:
            renew_spectral_norms(self.ema_model)
        with isolated_evaluation(self.fabric, self.config.training.seed):
            order = self.images.epoch_order(-1)  # an order that no epoch has
            batches = (self.images.batch(order, i * size) for i in range(min(self.steps_per_epoch, most)))
            model, step = self.saved_model, self.step - 1  # the last step that was made
            passes = (partial(self.loss.make_passes, model, x, group, step) for x, group in batches)
            recompute_batchnorm(model, passes)
        self.vae.train()

    def validate(self) -> dict[str, float]:
        """Returns the mean terms of the loss on held-out images; see `measure_held_out`."""
        seed, fabric = self.config.training.seed, self.fabric
        terms = measure_held_out(self.loss, self.saved_model, self.images, self.step, seed, fabric, self.turns.take)
        self.vae.train()
        return terms

    def measure_distances(self, run: Run) -> dict[str, float]:
        """Returns the Frechet distances of samples; nothing in epochs that do not measure them."""
        every, last = self.config.monitoring.fid_every, self.config.training.epochs
        if not self.fabric.is_global_zero or not is_due(self.epoch + 1, every, last):
            return {}
        if self.sample_distance is None:
            with isolated_randomness(self.fabric.device):  # an extractor may draw weights before it reads them
                self.sample_distance = SampleDistance(self.images.source, self.config, self.fabric.device)
            self.sample_distance.write_provenance(run.path)
        with isolated_evaluation(self.fabric, self.config.training.seed):
            distances = self.sample_distance(self.saved_model.eval())
        self.vae.train()
        return distances

    # -- state -----------------------------------------------------------------------------------------------------

    def change_settings(self, **options: Any) -> None:
        """Changes weights of the loss or the learning rate during a training.

        Arguments:
            options: The new values by flat name.
        """
        self.config = self.config.override(**options)
        self.loss.settings = self.config.objective
        self.rescale_learning_rate()

    def rescale_learning_rate(self) -> None:
        """Multiplies the learning rate and its schedule by the new learning rate of the settings divided by the old one."""
        scale_learning_rate(self.optimizers, self.schedulers, self.config.training.lr / self.lr)
        self.lr = self.config.training.lr

    def save(self, run: Run) -> None:
        """Writes the checkpoint; all processes must call this."""
        state = self.state_dict()
        if self.fabric.is_global_zero:
            write_checkpoint(run.path / STATE, state)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything on which the next step depends; all processes must call this."""
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "images": len(self.images),
            "steps": self.steps_per_epoch,
            "processes": self.fabric.world_size,
            "best": self.best,
            "lr": self.lr,
            "vae": self.vae.state_dict(),
            "objective": self.loss.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
            "schedulers": [s.state_dict() for s in self.schedulers],
            "monitor": self.monitor.state_dict(),
            **random_state(self.fabric.device),
        }
        if self.ema_model is not None:
            state["average"] = self.ema_model.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores a state that `state_dict` returned.

        Raises:
            UserError: For a state of another number of processes, of images or of steps in an epoch.
        """
        check_continuable(state, self.fabric.world_size, len(self.images), self.steps_per_epoch)
        self.vae.load_state_dict(state["vae"])
        self.loss.load_state_dict(state["objective"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for scheduler, value in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(value)
        if self.ema_model is not None:
            self.ema_model.load_state_dict(state["average"])
        self.monitor.load_state_dict(state["monitor"], self.fabric.global_rank, self.fabric.world_size)
        self.epoch, self.step, self.best, self.lr = state["epoch"], state["step"], state["best"], state["lr"]
        self.rescale_learning_rate()
        restore_random_state(state, self.fabric.device)

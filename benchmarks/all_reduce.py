"""Measures what averaging the gradients adds to a training step of two processes on CPUs, and whether overlapping it pays.

    python benchmarks/all_reduce.py [--rounds 12]

Two processes with one thread each train on noise, and exchange gradients by gloo. Four ways are measured in alternation,
and medians are printed:

    none         no exchange: two trainings beside each other
    barrier      a barrier, then one all-reduce of all gradients, as Fabric's all-reduce does
    one piece    one all-reduce of all gradients after the backward pass, as the trainer does
    overlapped   three pieces in a fixed order, each sent as soon as the backward pass has computed its gradients
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import time

import torch
from torch import Tensor, distributed, multiprocessing, nn

import splitvae

WAYS = ("none", "barrier", "one piece", "overlapped")
CASES = ((16, 50), (64, 10))  # the width, and the images in a batch of each process
PIECES = 3
STEPS_PER_ROUND = 3


def average(parameters: list[nn.Parameter], mean: Tensor) -> None:
    """Writes the gradients of parameters from their sum over two processes."""
    mean.div_(2)
    for p, part in zip(parameters, mean.split([p.numel() for p in parameters]), strict=True):
        assert p.grad is not None
        p.grad.copy_(part.view(p.shape))


def flatten(parameters: list[nn.Parameter]) -> Tensor:
    """Returns the gradients of parameters as one vector."""
    return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


class Overlap:
    """Sends the gradients of each piece, the last parameters first, when those of this and all earlier pieces are there."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.pieces: list[list[nn.Parameter]] = [[] for _ in range(PIECES)]
        total, position = sum(p.numel() for p in parameters), 0
        for p in reversed(parameters):
            self.pieces[position * PIECES // total].append(p)
            position += p.numel()
        self.place = {id(p): i for i, piece in enumerate(self.pieces) for p in piece}
        self.is_on = False
        for p in parameters:
            p.register_post_accumulate_grad_hook(self.receive)

    def begin(self) -> None:
        """Begins a step."""
        self.missing, self.sent = [len(piece) for piece in self.pieces], []

    def receive(self, parameter: Tensor) -> None:
        """Counts a gradient, and sends the pieces that are complete."""
        if not self.is_on:
            return
        self.missing[self.place[id(parameter)]] -= 1
        while len(self.sent) < PIECES and self.missing[len(self.sent)] == 0:
            vector = flatten(self.pieces[len(self.sent)])
            self.sent.append((vector, distributed.all_reduce(vector, async_op=True)))

    def end(self) -> None:
        """Waits for all pieces."""
        for piece, (vector, work) in zip(self.pieces, self.sent, strict=True):
            work.wait()
            average(piece, vector)


def work(rank: int, port: int, width: int, batch: int, rounds: int) -> None:
    """Trains in all ways in alternation; the first process prints the medians."""
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    torch.manual_seed(0)
    vae = splitvae.VAE((3, 32, 32), latent_dim=64, split=2, width=width).train().to(memory_format=torch.channels_last)
    loss, parameters = splitvae.ELBO(beta=3).build(), list(vae.parameters())
    x = torch.rand(batch, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    optimizer, overlap = torch.optim.Adam(parameters, fused=True), Overlap(parameters)

    def step(way: str) -> None:
        overlap.is_on = way == "overlapped"
        overlap.begin()
        for _, value in loss(vae, x):
            optimizer.zero_grad()
            value.backward()
            if way == "overlapped":
                overlap.end()
            elif way != "none":
                if way == "barrier":
                    distributed.barrier()
                vector = flatten(parameters)
                distributed.all_reduce(vector)
                average(parameters, vector)
            optimizer.step()

    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for way in WAYS:
        step(way)
    for _ in range(rounds):
        for way in WAYS:
            distributed.barrier()
            start = time.perf_counter()
            for _ in range(STEPS_PER_ROUND):
                step(way)
            seconds[way].append((time.perf_counter() - start) / STEPS_PER_ROUND)
    if rank == 0:
        megabytes = 4e-6 * sum(p.numel() for p in parameters)
        print(f"width {width}, batch {batch} in each process, {megabytes:.0f} MB of gradients:")
        for way, values in seconds.items():
            print(f"  {way:<12} {1e3 * statistics.median(values):5.0f} ms a step, at least {1e3 * min(values):.0f}")
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    for width, batch in CASES:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        multiprocessing.spawn(work, args=(port, width, batch, arguments.rounds), nprocs=2)

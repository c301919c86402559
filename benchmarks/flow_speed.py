"""Measures coupling flows of codes, compared with autoregressive flows: fit, samples and likelihood.

    python benchmarks/flow_speed.py [--run RUN] [--shape 5000x64] [--epochs 3] [--repeats 3] [--quick]

Both are fitted to the same codes, in alternation: the codes of a run, or else points of a curved surface with noise. The
log-likelihood is that of codes that were kept apart, in nats per code.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from timing import alternate, describe_machine, record_comparison, record_reading, spread, timed

import splitvae
from splitvae.models.codes import Codes
from splitvae.samplers.flow import Flow, FlowDensity


class CouplingFlow(Flow):
    """A flow of couplings, whatever the dimension."""

    def _build_density(self, dim: int) -> FlowDensity:
        return FlowDensity(dim, self.transforms or 8, self.width, self.depth, coupling=True)


class AutoregressiveFlow(Flow):
    """A flow whose transforms invert one coordinate after the other, whatever the dimension."""

    def _build_density(self, dim: int) -> FlowDensity:
        return FlowDensity(dim, self.transforms or 3, self.width, self.depth)


def draw_points(count: int, dim: int) -> tuple[Codes, Codes]:
    """Returns points of a curved surface with noise, to be fitted and kept apart: means (N, D) without variances."""
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator)

    first, second = draw(8, dim), draw(dim, dim) / dim**0.5
    points = torch.tanh(draw(count + 1000, 8) @ first) @ second + 0.1 * draw(count + 1000, dim)
    return Codes(points[1000:], None), Codes(points[:1000], None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="a run, whose codes are fitted")
    parser.add_argument("--shape", default="5000x150", help="points x dimensions, without a run")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one fit of 2000x150")
    options = parser.parse_args()
    if options.quick:
        options.shape, options.repeats = "2000x150", 1
    if options.run:
        run = splitvae.open_run(options.run)
        codes, apart = (Codes(run.codes(part).mean, None) for part in ("train", "test"))
    else:
        codes, apart = draw_points(*map(int, options.shape.split("x")))
    shape = "x".join(map(str, codes.mean.shape))
    print(f"{describe_machine('zuko')}\ncodes {shape}, {options.epochs} epoch(s), {options.samples} samples")
    flows = {"coupling": CouplingFlow(epochs=options.epochs), "autoregressive": AutoregressiveFlow(epochs=options.epochs)}

    def fit(flow: Flow) -> Callable[[], float]:
        return timed(lambda: flow.fit(codes))

    def sample(flow: Flow) -> Callable[[], float]:
        return timed(lambda: flow.sample(options.samples))

    readings = []
    for what, work in {"fit of a flow": fit, "samples of a flow": sample}.items():
        seconds = alternate({name: work(flow) for name, flow in flows.items()}, options.repeats, 0)
        for name, times in seconds.items():
            print(f"  {what:<18} {name:<15} {spread(times):>24} s")
        ratio = record_comparison(f"{what}, {shape}", "autoregressive", "s", seconds["coupling"], seconds["autoregressive"])
        print(f"  {what}: coupling is {ratio} times as fast", flush=True)
        readings.append(f"{what} {ratio.split()[0]} times as fast")
    likelihoods = {name: flow.mean_log_likelihood(apart) for name, flow in flows.items()}
    told = ", ".join(f"{name} {value:.2f}" for name, value in likelihoods.items())
    print(f"  log-likelihood of codes kept apart: {told} nats")
    record_reading(f"Codes {shape}: {', '.join(readings)}; log-likelihood of codes kept apart: {told} nats.")


if __name__ == "__main__":
    main()

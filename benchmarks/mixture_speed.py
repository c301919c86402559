"""Measures expectation maximisation of Gaussian mixtures, compared with scikit-learn's on NumPy arrays and on tensors.

    python benchmarks/mixture_speed.py [--shapes 60000x32x20 50000x200x100] [--iterations 1] [--repeats 3] [--quick]

All fit the same points from the same clusters, and are timed in alternation. Shapes are points x dimensions x components:
by default those of the paper, MNIST's codes with 20 components and CIFAR-10's with 100. Covariances are full. scikit-learn
gets tensors through the array API (array_api_dispatch=True). The parameters after the last iteration are compared too.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable
from typing import Any

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn needs it before SciPy is imported

import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from timing import alternate, describe_machine, record_comparison, record_reading, spread, timed
from torch import Tensor

from splitvae.samplers import em


class FromClusters(GaussianMixture):
    """scikit-learn's mixture, begun from given responsibilities."""

    responsibilities: Any

    def _initialize_parameters(self, X: Any, random_state: Any, xp: Any = None) -> None:  # the name is its own
        self._initialize(X, self.responsibilities, xp=xp)


def draw_points(count: int, dim: int, components: int) -> tuple[Tensor, Tensor]:
    """Returns points (N, D) of overlapping clusters, float64, and the cluster of each (N,)."""
    generator = torch.Generator().manual_seed(0)
    centres = 1.5 * torch.randn(components, dim, generator=generator, dtype=torch.float64)
    labels = torch.randint(components, (count,), generator=generator)
    return centres[labels] + torch.randn(count, dim, generator=generator, dtype=torch.float64), labels


def make_fits(count: int, dim: int, components: int, iterations: int) -> dict[str, Callable[[], Any]]:
    """Returns the fits by name; each returns its means (K, D)."""
    x, labels = draw_points(count, dim, components)
    clusters = torch.nn.functional.one_hot(labels, components).double()

    def by_splitvae() -> Any:
        mixture, _ = em.expectation_maximisation(x, labels, components, True, iterations)
        return mixture.means.numpy()

    def by_scikit_learn(points: Any, responsibilities: Any, dispatch: bool) -> Any:
        mixture = FromClusters(components, max_iter=iterations, tol=0.0, init_params="random")
        mixture.responsibilities = responsibilities
        with sklearn.config_context(array_api_dispatch=dispatch):
            return np.asarray(mixture.fit(points).means_)

    return {
        "splitvae": by_splitvae,
        "scikit-learn, NumPy": lambda: by_scikit_learn(x.numpy(), clusters.numpy(), False),
        "scikit-learn, tensors": lambda: by_scikit_learn(x, clusters, True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["60000x32x20", "50000x200x100"])
    parser.add_argument("--iterations", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the points of CIFAR-10")
    options = parser.parse_args()
    if options.quick:
        options.shapes = ["60000x32x20", "5000x200x100"]
    warnings.simplefilter("ignore", ConvergenceWarning)  # the iterations are fixed, so that both do as many
    print(f"{describe_machine('scikit-learn')}; float64")
    readings = []
    for shape in options.shapes:
        fits = make_fits(*map(int, shape.split("x")), options.iterations)
        means: dict[str, Any] = {}

        def keep(name: str, fit: Callable[[], Any], means: dict[str, Any] = means) -> Callable[[], None]:
            def run() -> None:
                means[name] = fit()

            return run

        seconds = alternate({name: timed(keep(name, fit)) for name, fit in fits.items()}, options.repeats, 0)
        print(f"{shape}: {options.iterations} iteration(s), after the first M-step")
        for name, times in seconds.items():
            line = f"  {name:<22} {spread(times):>24} s"
            if name != "splitvae":
                what = f"iteration of a mixture, {shape}"
                ratio = record_comparison(what, name, "s", seconds["splitvae"], times)
                difference = np.abs(means[name] - means["splitvae"]).max()
                line += f"; splitvae is {ratio} times as fast; means differ by {difference:.0e}"
                readings.append(f"{ratio.split()[0]} times {name} ({shape})")
            print(line, flush=True)
    record_reading(
        f"Iterations of expectation maximisation (points x dimensions x components) come at {', '.join(readings)}."
    )


if __name__ == "__main__":
    main()

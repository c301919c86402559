"""TODO docstring of cli.figures."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..errors import UserError

__all__ = ["Figures"]


@dataclass
class Figures:
    """Draw every figure of one or more runs again."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs."""
    mixture: bool = True
    """Show samples of a Gaussian mixture fitted to the codes beside the prior's."""
    seed: int = 0
    """Seed of what is drawn."""

    def __call__(self) -> None:
        from ..evaluation.fitted_samplers import sampler_for, sampler_parameters
        from ..figures.run import draw_run
        from ..runs import Run

        if not self.runs:
            raise UserError("say of which run, such as `splitvae figures runs/mnist-svae`.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        for run in [Run(path) for path in self.runs]:
            extra = {}
            if self.mixture:
                try:
                    extra["gmm"] = sampler_for(run, "gmm", **sampler_parameters(run, "gmm")).sample(100, self.seed)
                except UserError as error:  # such as images that are nowhere to be read
                    print(f"Note: {run.path} is shown without samples of a mixture: {error}")
            for path in draw_run(run, extra, self.seed):
                print(path)

"""The command `figures`: draws the figures of runs."""

from dataclasses import dataclass

from ..errors import UserError
from .checks import COPY_RUN, check_output_folder, check_runs
from .options import RunFolders, Seed, check_least, check_not_empty

__all__ = ["Figures"]


@dataclass
class Figures:
    """Draw every figure of one or more runs, in RUN/figures."""

    runs: RunFolders
    mixture: bool = True
    """Whether samples of a Gaussian mixture fitted to the codes are shown beside samples of the prior."""
    seed: Seed = 0

    def __call__(self) -> None:
        check_not_empty(self.runs, "run", "splitvae figures runs/mnist-svae")
        check_least(0, seed=self.seed)
        check_runs(self.runs)
        from ..runs import Run, group_runs_by_seed

        folders = [path for paths in group_runs_by_seed(self.runs).values() for path in paths]
        for folder in folders:
            check_output_folder(folder / "figures", COPY_RUN)
        from ..evaluation.fitted_samplers import sampler_for
        from ..figures.run import draw_run

        for run in map(Run, folders):
            fitted = {}
            if self.mixture:
                try:
                    fitted["gmm"] = sampler_for(run, "gmm").sample(100, self.seed)
                except UserError as error:  # for instance, the images are no longer where they were
                    print(f"Note: {run.path} is shown without samples of a mixture: {error}")
            for path in draw_run(run, fitted, self.seed):
                print(path)

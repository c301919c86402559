"""The command that asks what is in the codes of a run."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..errors import UserError

__all__ = ["Probe"]


# Heavy imports stand in the commands, so that --help and mistakes answer at once.


@dataclass
class Probe:
    """Ask what classifiers read from the codes, beside an untrained encoder."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    data: str | None = None
    """Where the run's images lie now, or with labels; by default where they were when the model was trained."""
    group_by: str = ""
    """Attribute, or attributes joined by commas, that are told where images have no classes; by default the run's."""
    iterations: int = 6000
    """Steps that each probe is trained for."""
    members: tuple[int, ...] = ()
    """Numbers of images whose evidence is fused, besides 1; by default 2, 4, ... 256."""
    seed: int = 0
    """Seed of probes, of groups and of what is drawn."""
    out: Path | None = None
    """Folder for probes.png and code-maps.png; by default RUN/figures. The numbers are in RUN/probes.json."""

    def __call__(self) -> None:
        if self.iterations < 1:
            raise UserError(f"--iterations {self.iterations} trains no probe; give a number such as 6000.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        from ..figures.io import save_figure
        from ..figures.probes import plot_code_maps, plot_probe_accuracy
        from ..probes.measure import labelled, posteriors, probe
        from ..probes.tables import table
        from ..runs import Run

        run = Run(self.run)
        if self.data is not None:
            for part in ("train", "test"):
                run.remember(part, run.images(part, self.data))
        result = probe(run, self.iterations, self.seed, group_by=self.group_by, members=self.members)
        print(table(result))
        print(f"Numbers: {run.path / 'probes.json'}", flush=True)
        folder, model = self.out or run.path / "figures", result["model"]["fingerprint"]
        if result["curve"]:
            print(f"Figure: {save_figure(plot_probe_accuracy(result), folder / 'probes.png', model)}")
        _, test = labelled(run, self.group_by or run.config.group_by)
        codes = {name: posterior.mean for name, posterior in posteriors(run.vae, test.images.pixels).items()}
        maps = plot_code_maps(codes, test.labels, test.names, self.seed)
        print(f"Figure: {save_figure(maps, folder / 'code-maps.png', model)}")

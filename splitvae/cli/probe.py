"""The command `probe`: measures what classifiers predict from the codes of a run."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..errors import UserError

__all__ = ["Probe"]


# Modules that import slowly are imported inside the functions, so that --help and mistakes are answered at once.


@dataclass
class Probe:
    """Measure what classifiers predict from the codes, compared with an untrained encoder."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    data: str | None = None
    """Where the images of the run are now, or the same with labels; by default where they were in training."""
    group_by: str = ""
    """Attributes to predict if images have no classes, joined by commas; by default those of the run."""
    iterations: int = 6000
    """Training steps of each probe."""
    members: tuple[int, ...] = ()
    """Numbers of images whose evidence is fused, besides 1; by default 2, 4, ... 256."""
    seed: int = 0
    """Seed of probes, groups and draws."""
    out: Path | None = None
    """Folder for probes.png and code-maps.png; by default RUN/figures. The numbers are in RUN/probes.json."""

    def __call__(self) -> None:
        if self.iterations < 1:
            raise UserError(f"--iterations {self.iterations} trains no probe; give a number such as 6000.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        from ..figures.io import save_figure
        from ..figures.probes import plot_code_maps, plot_probe_accuracy
        from ..probes.labelled_images import load_labelled_images
        from ..probes.measure import encode_posteriors, probe
        from ..probes.tables import probe_table
        from ..runs import Run

        run = Run(self.run)
        if self.data is not None:
            for part in ("train", "test"):
                run.remember(part, run.images(part, self.data))
        result = probe(run, self.iterations, self.seed, group_by=self.group_by, members=self.members)
        print(probe_table(result))
        print(f"Numbers: {run.path / 'probes.json'}", flush=True)
        folder, model = self.out or run.path / "figures", result["model"]["fingerprint"]
        if result["curve"]:
            print(f"Figure: {save_figure(plot_probe_accuracy(result), folder / 'probes.png', model)}")
        _, test = load_labelled_images(run, self.group_by or run.config.data.group_by)
        codes = {name: posterior.mean for name, posterior in encode_posteriors(run.vae, test.images.pixels).items()}
        maps = plot_code_maps(codes, test.labels, test.names, self.seed)
        print(f"Figure: {save_figure(maps, folder / 'code-maps.png', model)}")

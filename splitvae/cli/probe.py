"""The command `probe`: measures what classifiers predict from the codes of a run."""

from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import arg

from .checks import check_output_folder, check_run
from .options import (
    Json,
    OtherImages,
    OutputFolder,
    ProbeIterations,
    RunFolder,
    Seed,
    check_least,
    show_default,
)

__all__ = ["Probe"]


@dataclass
class Probe:
    """Measure what classifiers predict from the codes of a run, compared with an untrained encoder.

    All numbers are written to RUN/probes.json, and the figures probes.png and code-maps.png to the folder.
    """

    run: RunFolder
    data: OtherImages = None
    group_by: Annotated[str, show_default("those of the run")] = ""
    """Attributes to predict where images have no classes, joined by commas."""
    iterations: ProbeIterations = 6000
    members: Annotated[tuple[int, ...], arg(metavar="INT ..."), show_default("2 4 ... 256")] = ()
    """Numbers of images whose evidence is fused; 1 is always among them."""
    seed: Seed = 0
    out: Annotated[OutputFolder, show_default("RUN/figures")] = None
    json: Json = False

    def __call__(self) -> dict[str, Any]:
        check_least(1, iterations=self.iterations)
        for count in self.members:
            check_least(1, "leaves no evidence to fuse", members=count)
        check_least(0, seed=self.seed)
        check_run(self.run)
        check_output_folder(self.out or self.run / "figures")
        from ..figures.io import save_figure
        from ..figures.probes import plot_code_maps, plot_probe_accuracy
        from ..figures.run import draw_independent_swaps
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
        swaps = draw_independent_swaps(run, test.images, test.labels, self.seed) if result["curve"] else None
        if swaps is not None:
            print(f"Figure: {save_figure(swaps, folder / 'swaps-independent.png', model)}")
        return result

"""The command `reproduce`: runs an experiment of the paper again, and writes a page about it."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from ..errors import UserError, nearest
from ..utils.files import read_json
from .checks import check_output_folder
from .options import Count, Json, OtherImages, OutputFolder, ProbeIterations, Seed, check_least, option_of, show_default

__all__ = ["Reproduce"]

ML_VAE = "ml-vae"  # which has options of its own
ML_VAE_OPTIONS = ("iterations", "seed", "checkpoints")
COMMON_OPTIONS = ("crop", "hours", "width", "n", "systems")  # of all other experiments
STORED = "what the results have, else chosen"


@dataclass
class Reproduce:
    """Run an experiment of the paper again, and write a page about it.

    digits is a small table that takes minutes; mnist, cifar10 and celeba are the paper's tables; split and split-faces show
    what controls the split; crossings splits models of other kinds; introvae, introvae-faces and introvae-readme are
    introspective models; groups and groups-faces are Multi-Level VAEs, and ml-vae their best-known public code.

    Numbers go to OUT/EXPERIMENT.json, tables and findings to OUT/EXPERIMENT.md, figures to OUT/EXPERIMENT. With a GPU the
    width and the epochs are those of the paper. Without one, networks are smaller, and the epochs are those that fit
    --hours. What is finished is not made again, so that the same command continues after an interruption. Several terminals
    may run it at the same time.
    """

    experiment: Positional[Annotated[str, arg(metavar="EXPERIMENT", help="Name of the experiment.")]]
    data: Annotated[OtherImages, show_default("those of the presets")] = None
    crop: Annotated[int | None, arg(metavar="INT"), show_default("none for --data")] = None
    """Side in pixels of the centre square that is cut out of each image."""
    out: Annotated[OutputFolder, show_default("results")] = None
    run_folder: Annotated[Path | None, arg(metavar="FOLDER"), show_default("runs/EXPERIMENT")] = None
    """Folder of the runs."""
    hours: Annotated[float | None, arg(metavar="HOURS"), show_default("3; without limit on a GPU")] = None
    """Time for all trainings together, in hours; it decides the number of epochs."""
    width: Annotated[int | None, arg(metavar="INT"), show_default(STORED)] = None
    """Width of all networks."""
    epochs: Annotated[int | None, arg(metavar="INT"), show_default(STORED)] = None
    """Number of passes over the training images, for most of the models."""
    n: Annotated[Count, show_default("what the results have, else 10000")] = 0
    """Number of test images of each distance, and of generated ones."""
    systems: Annotated[tuple[str, ...], arg(metavar="SYSTEM ..."), show_default("all")] = ()
    """The systems to make now, such as svae vae."""
    iterations: Annotated[ProbeIterations | None, arg(metavar="INT"), show_default("6000")] = None
    """Number of training steps of each probe, for ml-vae alone."""
    seed: Annotated[Seed | None, arg(metavar="INT"), show_default("0")] = None
    """Seed of trainings and probes, for ml-vae alone; other experiments have several."""
    checkpoints: Annotated[Path | None, arg(metavar="FOLDER"), show_default("they are left out")] = None
    """Folder of the checkpoints that the authors of the public code released, to measure them too; for ml-vae alone."""
    json: Json = False

    def __call__(self) -> Any:
        counts = ("epochs", "width", "crop", "iterations")
        check_least(1, **{name: value for name in counts if (value := getattr(self, name)) is not None})
        check_least(0, seed=self.seed or 0)
        if self.n:
            check_least(2, "leaves nothing to compare", n=self.n)
        if self.hours is not None and not self.hours > 0:
            raise UserError(f"--hours {self.hours:g} leaves no time to train; give a number such as 3.")
        check_output_folder(self.out or Path("results"))
        check_output_folder(self.run_folder or Path("runs"))
        from ..reproductions.registry import EXPERIMENTS

        names = [*EXPERIMENTS, ML_VAE]
        if self.experiment not in names:
            raise UserError(f"no experiment is called {self.experiment!r}; {nearest(self.experiment, names)}")
        self._refuse_options_of_others()
        if self.checkpoints is not None and not self.checkpoints.is_dir():
            raise UserError(f"{self.checkpoints} is no folder; give that of the checkpoints that the public code released.")
        if self.experiment != ML_VAE:
            EXPERIMENTS[self.experiment].check_systems(self.systems)
        if self.data is not None:
            from ..data.sources import check_source

            check_source(self.data)
        page = self._reproduce_ml_vae() if self.experiment == ML_VAE else self._reproduce_experiment()
        numbers = page.with_suffix(".json")
        print(f"Page: {page}\nNumbers: {numbers}")
        return read_json(numbers)

    def _reproduce_experiment(self) -> Path:
        from ..reproductions.loop import Request, reproduce
        from ..reproductions.registry import EXPERIMENTS

        request = Request(self.data, self.crop, self.hours, self.width, self.epochs, self.n or None, self.systems)
        runs = self.run_folder or Path("runs") / self.experiment
        return reproduce(EXPERIMENTS[self.experiment], request, self.out or Path("results"), runs)

    def _refuse_options_of_others(self) -> None:
        """Raises a UserError for an option that the experiment does not have."""
        has, others = (ML_VAE_OPTIONS, COMMON_OPTIONS) if self.experiment == ML_VAE else (COMMON_OPTIONS, ML_VAE_OPTIONS)
        for field in fields(self):
            if field.name in others and getattr(self, field.name) != field.default:
                known = ", ".join(map(option_of, has))
                raise UserError(f"{self.experiment} has no {option_of(field.name)}; {known} are options of it.")

    def _reproduce_ml_vae(self) -> Path:
        from ..probes.classifiers import ITERATIONS
        from ..reproductions.ml_vae_page import write_ml_vae_page
        from ..studies.ml_vae import reproduce_ml_vae
        from ..studies.ml_vae_tables import ml_vae_table

        runs, data = self.run_folder or Path("runs") / ML_VAE, self.data or "mnist"
        result = reproduce_ml_vae(
            runs, data, self.epochs or 8, self.iterations or ITERATIONS, self.seed or 0, checkpoints=self.checkpoints
        )
        page = write_ml_vae_page(result, runs, self.out or Path("results"))
        print(ml_vae_table(result))
        return page

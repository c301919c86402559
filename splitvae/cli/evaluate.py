"""The command `evaluate`: scores runs, or compares two sets of images without a model."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..data.images import Images
from ..errors import UserError
from ..runs import group_runs_by_seed

__all__ = ["Evaluate"]


# Modules that import slowly are imported inside the functions, so that --help and mistakes are answered at once.


def _list_metrics(_: str) -> str:
    from ..metrics.registry import METRICS

    return f"(default: all of {', '.join(METRICS)})"


@dataclass
class Evaluate:
    """Score runs, or compare two sets of images without a model."""

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of runs, or folders of seed-N runs; several are compared."""
    images: tuple[str, str] | None = None
    """Instead of runs, two sets of images: the real ones, then those to score."""
    data: str | None = None
    """Where the images of the runs are now; by default where they were when the model was trained."""
    metrics: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint=_list_metrics)] = ()
    """Metrics of the model on test images."""
    protocol: Literal["clean", "paper", "both"] = "both"
    """What the sampler is fitted to: training codes (clean), or the very test images it is scored against (paper)."""
    features: str = "auto"
    """Features in which images are compared: inception, inception-keras, classifier, rotation, or a TorchScript file; auto
    is classifier where there are labels, else rotation."""
    inception_weights: Path | None = None
    """File with the weights of inception or inception-keras; by default they are downloaded once."""
    sampler: str = ""
    """Density of the EX-POST samples: gmm, second-stage, second-stage-noiseless, flow; by default the run's."""
    components: int = 0
    """Components of a mixture; 0 picks them by held-out likelihood (clean) or takes the run's (paper)."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 10_000
    """Real images, and as many generated images of each kind."""
    draws: tuple[int, ...] = (1, 64)
    """Draws of the importance-weighted bounds on the likelihood; 1024 is slow without a GPU."""
    seed: int = 0
    """Seed of noise and samples."""
    out: Path | None = None
    """With --images: a .json file for the numbers."""

    def __call__(self) -> None:
        if self.images and self.runs:
            raise UserError("give runs, or two sets with --images, not both.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        if self.n < 2:
            raise UserError(f"-n {self.n} leaves nothing to compare; give at least 2, better 10000.")
        if self.components < 0:
            raise UserError(f"--components {self.components} is no number of components; 0 picks one.")
        if self.images:
            self.compare_image_sets(*self.images)
        elif self.runs:
            self.evaluate_runs()
        else:
            raise UserError("say of which run, such as `splitvae evaluate runs/mnist-svae`, or --images REAL OTHERS.")

    def evaluate_runs(self) -> None:
        from ..data.geometry import remove_padding
        from ..evaluation.diagnostics import check_metrics, evaluate
        from ..evaluation.fitted_samplers import PROTOCOLS
        from ..evaluation.tables import comparison_tables, evaluation_table, score_table
        from ..features.registry import load_extractor
        from ..runs import Run
        from ..utils.text import align_columns

        metrics = check_metrics(self.metrics)
        protocols = tuple(PROTOCOLS) if self.protocol == "both" else (self.protocol,)
        groups = group_runs_by_seed(self.runs)
        configs = [Run(path).config for paths in groups.values() for path in paths]  # fails before any run is scored
        parameters: dict[str, Any] = {}
        if self.components:
            if any((self.sampler or config.sampler.name) != "gmm" for config in configs):
                raise UserError("--components are those of a mixture; add --sampler gmm.")
            parameters["components"] = self.components
        read: dict[Any, dict[str, Images]] = {}  # the images of the last run, by source and shape
        results: dict[str, list[dict[str, Any]]] = {}
        for name, paths in groups.items():
            for run in map(Run, paths):
                config = run.config
                key = self.data or config.data.source, config.model.shape, config.data.pad, config.data.crop
                if key not in read:
                    read = {key: {part: run.images(part, self.data) for part in ("train", "test")}}
                for part, images in read[key].items():
                    run.remember(part, images)
                train = run.images("train")
                without_padding = dataclasses.replace(train, pixels=remove_padding(train.pixels, run.config.data.pad))
                extractor = load_extractor(self.features, without_padding, self.inception_weights)
                sampler = self.sampler or None
                result = evaluate(run, extractor, protocols, sampler, self.n, self.draws, self.seed, metrics, **parameters)
                results.setdefault(name, []).append(result)
                print(f"\n{run.path}\n{evaluation_table(result)}")
                for score in list(result["scores"].values())[-len(protocols) :]:
                    print(score_table(score))
                print(f"  All numbers: {run.path / 'evaluation.json'}", flush=True)
        if len(configs) > 1:
            for protocol in protocols:
                for table in comparison_tables(results, protocol):
                    print(f"\nProtocol {protocol}. {PROTOCOLS[protocol]}\n{table.description}.")
                    print(align_columns(table.headings, table.rows))

    def compare_image_sets(self, real: str, others: str) -> None:
        from ..data.sources import load_all
        from ..evaluation.scores import compare_image_sets
        from ..evaluation.tables import image_sets_table
        from ..features.registry import load_extractor
        from ..utils.files import write_json
        from .options import print_notes

        real_images, other_images = load_all(real), load_all(others)
        print_notes(real_images)
        print_notes(other_images)
        extractor = load_extractor(self.features, real_images, self.inception_weights)
        result = compare_image_sets(real_images, other_images, extractor, self.seed)
        print(image_sets_table(result))
        if self.out is not None:
            write_json(self.out, result)
            print(f"Numbers: {self.out}")

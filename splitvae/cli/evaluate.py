"""The commands that measure: runs, and sets of images without any model."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..data.images import Images
from ..errors import UserError
from ..runs import grouped

__all__ = ["Evaluate"]


# Heavy imports stand in the commands, so that --help and mistakes answer at once.


@dataclass
class Evaluate:
    """Score runs, or compare two sets of images without a model."""

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of runs, or folders of seed-N runs; several are compared."""
    images: tuple[str, str] | None = None
    """Instead of runs, two sets of images: the real ones, then those to score."""
    data: str | None = None
    """Where the runs' images lie now; by default where they were when the model was trained."""
    protocol: Literal["clean", "paper", "both"] = "both"
    """What the sampler is fitted to: training codes (clean), or the very test images it is scored against (paper)."""
    features: str = "auto"
    """Where distances are measured: inception, inception-keras, classifier, rotation, or a TorchScript file; auto is
    classifier where there are labels, else rotation."""
    inception_weights: Path | None = None
    """File with the weights of inception or inception-keras; by default they are downloaded once."""
    sampler: str = ""
    """Density of the EX-POST samples: gmm, second-stage, second-stage-noiseless, flow; by default the run's."""
    components: int = 0
    """Components of a mixture; 0 picks them by held-out likelihood (clean) or takes the run's (paper)."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 10_000
    """Real images, and as many of each kind of generated ones."""
    draws: tuple[int, ...] = (1, 64)
    """Draws of the importance-weighted bounds on the likelihood; 1024 is slow without a GPU."""
    seed: int = 0
    """Seed of what is drawn."""
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
            self.between(*self.images)
        elif self.runs:
            self.measure()
        else:
            raise UserError("say of which run, such as `splitvae evaluate runs/mnist-svae`, or --images REAL OTHERS.")

    def measure(self) -> None:
        from ..data.resize import unpadded
        from ..evaluation.diagnostics import evaluate
        from ..evaluation.scores import PROTOCOLS
        from ..evaluation.tables import comparison_tables, evaluation_table, score_table
        from ..features.registry import extractor_named
        from ..runs import Run
        from ..utils.text import aligned

        protocols = tuple(PROTOCOLS) if self.protocol == "both" else (self.protocol,)
        groups = grouped(self.runs)
        configs = [Run(path).config for paths in groups.values() for path in paths]  # all are there before any is scored
        parameters: dict[str, Any] = {}
        if self.components:
            if any((self.sampler or config.sampler) != "gmm" for config in configs):
                raise UserError("--components are those of a mixture; add --sampler gmm.")
            parameters["components"] = self.components
        read: dict[Any, dict[str, Images]] = {}  # images of the runs so far, by source and shape
        results: dict[str, list[dict[str, Any]]] = {}
        for name, paths in groups.items():
            for run in map(Run, paths):
                config = run.config
                key = self.data or config.data, config.shape, config.pad, config.crop
                if key not in read:
                    read = {key: {part: run.images(part, self.data) for part in ("train", "test")}}
                for part, images in read[key].items():
                    run.remember(part, images)
                train = run.images("train")
                known = dataclasses.replace(train, pixels=unpadded(train.pixels, run.config.pad))
                extractor = extractor_named(self.features, known, self.inception_weights)
                result = evaluate(
                    run, extractor, protocols, self.sampler or None, self.n, self.draws, self.seed, **parameters
                )
                results.setdefault(name, []).append(result)
                print(f"\n{run.path}\n{evaluation_table(result)}")
                for score in list(result["scores"].values())[-len(protocols) :]:
                    print(score_table(score))
                print(f"  All of it: {run.path / 'evaluation.json'}", flush=True)
        if len(configs) > 1:
            for protocol in protocols:
                for found in comparison_tables(results, protocol):
                    print(f"\nProtocol {protocol}. {PROTOCOLS[protocol]}\n{found.about}.")
                    print(aligned(found.headings, found.rows))

    def between(self, real: str, others: str) -> None:
        from ..data.sources import whole
        from ..evaluation.scores import compare_image_sets
        from ..evaluation.tables import image_sets_table
        from ..features.registry import extractor_named
        from ..utils.files import write_json
        from .options import tell

        first, second = whole(real), whole(others)
        tell(first)
        tell(second)
        extractor = extractor_named(self.features, first, self.inception_weights)
        result = compare_image_sets(first, second, extractor, self.seed)
        print(image_sets_table(result))
        if self.out is not None:
            write_json(self.out, result)
            print(f"Numbers: {self.out}")

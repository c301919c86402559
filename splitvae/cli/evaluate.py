"""The command `evaluate`: scores runs, or compares two sets of images without a model."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from tyro.conf import arg

from ..errors import UserError
from .checks import COPY_RUN, check_output_file, check_output_folder, check_runs, check_sampler
from .options import (
    Components,
    Count,
    Features,
    InceptionWeights,
    Json,
    OtherImages,
    OutputFile,
    Resize,
    RunFolders,
    SamplerName,
    Seed,
    check_least,
    check_not_empty,
    print_notes,
    show_default,
)

__all__ = ["Evaluate"]


def _list_metrics(_: str) -> str:
    from ..metrics.registry import METRICS

    return f"(default: all of {', '.join(METRICS)})"


@dataclass
class Evaluate:
    """Score runs, or compare two sets of images without a model.

    A folder of seed-N runs stands for all of them. Several runs are also compared in one table. All numbers of a run are
    written to RUN/evaluation.json.
    """

    runs: Annotated[RunFolders, show_default("none, with --images")] = ()
    images: Annotated[
        tuple[str, str] | None, arg(metavar="REAL OTHER", help_behavior_hint="(default: runs are scored)")
    ] = None
    """Two sets of images that are compared in place of runs: the real images, and those to score."""
    data: OtherImages = None
    metrics: Annotated[tuple[str, ...], arg(metavar="NAME ...", help_behavior_hint=_list_metrics)] = ()
    """Metrics of the model on test images."""
    protocol: Annotated[tuple[Literal["clean", "paper", "authors"], ...], arg(metavar="NAME ...")] = ("clean",)
    """What the sampler is fitted to, and the size of a mixture: training codes, with the size by held-out codes (clean) or
    that of the paper (paper), or as in the paper's code the very test images it is scored against (authors)."""
    padding: Annotated[Literal["cut", "keep"] | None, show_default("that of the protocol")] = None
    """Whether the padding of images is cut off before features are taken."""
    features: Features = "auto"
    inception_weights: InceptionWeights = None
    resize: Resize = None
    sampler: Annotated[SamplerName, show_default("that of the run")] = ""
    components: Components = 0
    n: Count = 10_000
    """Number of real images."""
    generated: Annotated[int, show_default("as many as real ones")] = 0
    """Number of generated images of each kind."""
    draws: Annotated[tuple[int, ...], arg(metavar="INT ...")] = (1, 64)
    """Numbers of draws of the importance-weighted bounds on the likelihood; 1024 is slow without a GPU."""
    seed: Seed = 0
    out: Annotated[OutputFile, arg(help="File for the numbers of --images, as .json."), show_default("none")] = None
    json: Json = False

    def __call__(self) -> dict[str, Any]:
        if self.images and self.runs:
            raise UserError("give runs, or two sets with --images, not both.")
        check_least(0, seed=self.seed, components=self.components)
        check_least(2, "leaves nothing to compare", n=self.n)
        for count in self.draws:
            check_least(1, draws=count)
        if self.generated:
            check_least(2, "leaves nothing to compare", generated=self.generated)
        if self.images:
            check_output_file(self.out, ".json")
            return self.compare_image_sets(*self.images)
        check_not_empty(self.runs, "run", "splitvae evaluate runs/mnist-svae` or `splitvae evaluate --images REAL OTHER")
        if self.out is not None:
            raise UserError(
                "--out is for --images; the numbers of a run go to RUN/evaluation.json, and --json prints them."
            )
        check_runs(self.runs)
        for run in self.runs:
            check_output_folder(run, COPY_RUN)
        check_sampler(self.sampler or "prior")
        if self.components and self.sampler not in ("", "gmm"):
            raise UserError("--components are those of a mixture; add --sampler gmm.")
        return self.evaluate_runs()

    def evaluate_runs(self) -> dict[str, Any]:
        """Scores runs, and returns the content of each evaluation.json by the path of its run."""
        from ..data.geometry import remove_padding
        from ..data.images import Images
        from ..data.sources import check_source
        from ..evaluation.diagnostics import check_metrics, evaluate
        from ..evaluation.protocols import configure_sampler
        from ..evaluation.tables import comparison_tables, evaluation_table, score_table
        from ..features.registry import check_features, load_extractor
        from ..runs import Run, group_runs_by_seed
        from ..utils.text import align_columns

        check_features(self.features, self.inception_weights, self.resize)
        metrics = check_metrics(self.metrics)
        protocols = self._protocols()
        groups = group_runs_by_seed(self.runs)
        configs = [Run(path).config for paths in groups.values() for path in paths]  # fails before any run is scored
        self._check_components([config.sampler.name for config in configs])
        for source in {self.data or config.data.source for config in configs}:
            if source is not None:
                check_source(source)
        cache: dict[Any, dict[str, Images]] = {}  # the images of the last run, by source and geometry
        results: dict[str, list[dict[str, Any]]] = {}
        for name, paths in groups.items():
            for run in map(Run, paths):
                config = run.config
                key = self.data or config.data.source, config.model.shape, config.data.pad, config.data.crop
                if key not in cache:
                    cache = {key: {part: run.images(part, self.data) for part in ("train", "test")}}
                for part, images in cache[key].items():
                    run.remember(part, images)
                train = run.images("train")
                without_padding = dataclasses.replace(train, pixels=remove_padding(train.pixels, config.data.pad))
                extractor = load_extractor(self.features, without_padding, self.inception_weights, resize=self.resize)
                sampler = (
                    configure_sampler(run, self.sampler, components=self.components) if self.components else self.sampler
                )
                result = evaluate(run, extractor, protocols, sampler, self.n, self.draws, self.seed, metrics)
                results.setdefault(name, []).append(result)
                print(f"\n{run.path}\n{evaluation_table(result)}")
                for score in list(result["scores"].values())[-len(protocols) :]:
                    print(score_table(score))
                print(f"  All numbers: {run.path / 'evaluation.json'}", flush=True)
        for protocol in protocols if len(configs) > 1 else ():
            for table in comparison_tables(results, protocol.name):
                print(f"\nProtocol {protocol.name}. {protocol.description}\n{table.description}.")
                print(align_columns(table.headings, table.rows))
        return {str(path): Run(path).evaluation for paths in groups.values() for path in paths}

    def _protocols(self) -> tuple[Any, ...]:
        """Returns the protocols, with the padding and the number of generated images that were given."""
        from ..evaluation.protocols import find_protocol

        changes: dict[str, Any] = {"padding": self.padding} if self.padding else {}
        changes |= {"generated": self.generated} if self.generated else {}
        return tuple(dataclasses.replace(find_protocol(name), **changes) for name in dict.fromkeys(self.protocol))

    def _check_components(self, samplers: Sequence[str]) -> None:
        """Raises UserError where components are given to samplers, those of the runs or the one given, that have none."""
        if self.components and any((self.sampler or name) != "gmm" for name in samplers):
            raise UserError("--components are those of a mixture; add --sampler gmm.")

    def compare_image_sets(self, real: str, other: str) -> dict[str, Any]:
        """Compares two sets of images, and returns the numbers."""
        from ..data.sources import check_source, load_all
        from ..evaluation.scores import compare_image_sets
        from ..evaluation.tables import image_sets_table
        from ..features.registry import check_features, load_extractor
        from ..utils.files import write_json

        check_features(self.features, self.inception_weights, self.resize)
        check_source(real)
        check_source(other)
        real_images, other_images = load_all(real), load_all(other)
        print_notes(real_images)
        print_notes(other_images)
        extractor = load_extractor(self.features, real_images, self.inception_weights, resize=self.resize)
        result = compare_image_sets(real_images, other_images, extractor, self.seed)
        print(image_sets_table(result))
        if self.out is not None:
            write_json(self.out, result)
            print(f"Numbers: {self.out}")
        return result

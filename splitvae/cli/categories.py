"""The commands that study data alone: what it owes to its labels, and to its mean image."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..errors import UserError

__all__ = ["Categories"]


# Heavy imports stand in the commands, so that --help and mistakes answer at once.


@dataclass
class Categories:
    """Measure how far single classes of a data set are from the whole of it."""

    data: tyro.conf.Positional[str]
    """Images with labels: a name, folder, file, or hf://org/name."""
    features: str = "auto"
    """Where distances are measured: inception, inception-keras, classifier, rotation, or a TorchScript file; auto is
    classifier where there are classes to learn: made to tell these very classes apart, it shows them far apart."""
    inception_weights: Path | None = None
    """File with the weights of inception or inception-keras; by default they are downloaded once."""
    count: int = 10_000
    """Images of each class, and of each mix of classes; fewer where there are fewer."""
    mirror: bool = True
    """Double the training images by their mirror images, as the paper does; mirrored digits are no digits."""
    seed: int = 0
    """Seed of what is drawn."""
    out: Path | None = None
    """Folder for categories.json and categories.png; by default categories-NAME."""

    def __call__(self) -> None:
        if self.count < 2:
            raise UserError(f"--count {self.count} leaves nothing to compare; give at least 2, better 10000.")
        if self.seed < 0:
            raise UserError(f"--seed {self.seed} is no seed; it must be at least 0.")
        from ..data.labels import get_labels
        from ..data.sources import load
        from ..features.registry import load_extractor
        from ..figures.categories import plot_categories
        from ..figures.io import save_figure
        from ..studies.categories import category_table, compare_categories, shorten_source
        from ..utils.files import write_json

        train = load(self.data, "train")
        get_labels(train)  # before features are learned
        test = load(self.data, "test", side=train.shape[1], channels=train.shape[0])
        extractor = load_extractor(self.features, train, self.inception_weights)
        result = compare_categories(train, test, extractor, self.count, self.seed, mirror=self.mirror)
        print(category_table(result))
        folder = self.out or Path(f"categories-{shorten_source(self.data)}")
        write_json(folder / "categories.json", result)
        print(f"Numbers: {folder / 'categories.json'}")
        print(f"Figure: {save_figure(plot_categories(result), folder / 'categories.png')}")

"""The commands that study data alone: what it owes to its labels, and to its mean image."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from .errors import UserError

__all__ = ["Categories", "Means"]

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
        from .data import load
        from .data_studies import categories, category_table, labels_of, titled
        from .features import extractor_named
        from .figures import save
        from .files import write_json
        from .study_figures import category_chart

        train = load(self.data, "train")
        labels_of(train)  # before features are learned
        test = load(self.data, "test", side=train.shape[1], channels=train.shape[0])
        extractor = extractor_named(self.features, train, self.inception_weights)
        result = categories(train, test, extractor, self.count, self.seed, mirror=self.mirror)
        print(category_table(result))
        folder = self.out or Path(f"categories-{titled(self.data)}")
        write_json(folder / "categories.json", result)
        print(f"Numbers: {folder / 'categories.json'}")
        print(f"Figure: {save(category_chart(result), folder / 'categories.png')}")


@dataclass
class Means:
    """Show the mean images of data sets, and how much they tell of the images."""

    data: tyro.conf.Positional[tuple[str, ...]]
    """Sets of images, whose training parts are averaged: names, folders, files, or hf://org/name."""
    side: int | None = None
    """Height and width in pixels that all are brought to; by default each set has its own."""
    out: Path = Path("means")
    """Folder for means.json and means.png."""

    def __call__(self) -> None:
        if not self.data:
            raise UserError("say of which images, such as `splitvae means mnist fashion-mnist`.")
        from .data import load
        from .data_studies import mean_image, mean_study, mean_table, titled
        from .figures import save
        from .files import write_json
        from .study_figures import mean_captions, mean_sheet

        sets = [load(source, "train", side=self.side) for source in self.data]
        result = mean_study(sets)
        print(mean_table(result))
        write_json(self.out / "means.json", result)
        print(f"Numbers: {self.out / 'means.json'}")
        means = [mean_image(images) for images in sets]
        figure = mean_sheet(means, [titled(source) for source in self.data], mean_captions(result))
        print(f"Figure: {save(figure, self.out / 'means.png')}")

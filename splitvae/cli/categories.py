"""The command `categories`: measures how far the classes of a data set are from the whole of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional

from .checks import check_output_folder
from .options import (
    Count,
    Features,
    ImageSource,
    InceptionWeights,
    Json,
    OutputFolder,
    Resize,
    Seed,
    check_least,
    show_default,
)

__all__ = ["Categories"]


@dataclass
class Categories:
    """Measure how far single classes of a data set are from the whole of it.

    The images need labels. The folder gets categories.json and categories.png. The features `classifier` come from a
    network that was trained to tell these very classes apart, so their distances are large.
    """

    data: Positional[ImageSource]
    features: Features = "auto"
    inception_weights: InceptionWeights = None
    resize: Resize = None
    count: Count = 10_000
    """Number of images of each class, and of each mix of classes; all images where there are fewer."""
    mirror: bool = True
    """Whether the mirror images of the training images are added, as in the paper; mirrored digits are not digits."""
    seed: Seed = 0
    out: Annotated[OutputFolder, show_default("categories-NAME")] = None
    json: Json = False

    def __call__(self) -> dict[str, Any]:
        check_least(2, "leaves nothing to compare", count=self.count)
        check_least(0, seed=self.seed)
        check_output_folder(self.out or Path())
        from ..data.labels import get_labels
        from ..data.sources import check_source, load
        from ..features.registry import check_features, load_extractor
        from ..figures.categories import plot_categories
        from ..figures.io import save_figure
        from ..studies.categories import category_table, compare_categories, shorten_source
        from ..utils.files import write_json

        check_source(self.data)
        check_features(self.features, self.inception_weights, self.resize)
        train = load(self.data, "train")
        get_labels(train)  # images without labels are refused before features are learned
        test = load(self.data, "test", side=train.shape[1], channels=train.shape[0])
        extractor = load_extractor(self.features, train, self.inception_weights, resize=self.resize)
        result = compare_categories(train, test, extractor, self.count, self.seed, mirror=self.mirror)
        print(category_table(result))
        folder = self.out or Path(f"categories-{shorten_source(self.data)}")
        write_json(folder / "categories.json", result)
        print(f"Numbers: {folder / 'categories.json'}")
        print(f"Figure: {save_figure(plot_categories(result), folder / 'categories.png')}")
        return result

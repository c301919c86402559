"""TODO docstring of data.arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from ..errors import UserError
from .resize import ResizeOptions, array_to_pixels, crop_and_resize
from .splits import Labels, LoadedSplit, SplitSelection, make_class_labels, select_split

# ---------------------------------------------------------------- arrays, digits, IDX


def read_array(
    images: np.ndarray | Tensor, labels: Labels | None, choice: SplitSelection, title: str, treatment: ResizeOptions
) -> LoadedSplit:
    pixels = array_to_pixels(images, title)
    rows = choice.among(len(pixels))
    pixels, notes = crop_and_resize(pixels[rows], treatment)
    return LoadedSplit(pixels, labels and labels._replace(values=labels.values[rows]), choice.notes + notes)


def read_digits(split: str, treatment: ResizeOptions) -> LoadedSplit:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), values 0 ... 16
    choice = select_split({"all": len(pixels)}, split, "digits")
    return read_array(pixels, Labels(digits.target, tuple("0123456789")), choice, "digits", treatment)


def read_numpy_file(path: Path, title: str, split: str, treatment: ResizeOptions) -> LoadedSplit:
    parts = _load_numpy_parts(path)
    choice = select_split(
        {part: images.shape[0] if images.ndim else 0 for part, (images, _) in parts.items()}, split, title
    )
    images, values = parts[choice.part]
    labels = None if values is None else _labels_from_array(values, len(images), title)
    return read_array(images, labels, choice, title, treatment)


def _load_numpy_parts(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """The images, and labels if any, of each part in a .npy or .npz file; never unpickles."""
    parts: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return {"all": (content, None)}
        with content as arrays:
            for part, end in (("all", ""), ("train", "_train"), ("test", "_test")):
                images = next((key for key in (f"images{end}", f"x{end}", f"arr_0{end}") if key in arrays), None)
                labels = next((key for key in (f"labels{end}", f"y{end}") if key in arrays), None)
                if images:
                    parts[part] = arrays[images], arrays[labels] if labels else None
            held = ", ".join(arrays.files) or "nothing"
    except Exception as error:  # its readers of zip, zlib and Python literals raise anything on damaged bytes
        if "Object arrays" in str(error):
            raise UserError(
                f"{path} holds pickled Python objects, which are refused since they can run code when they are read: "
                "save images of one size as one array, np.save(path, np.stack(images))."
            ) from None
        raise UserError(f"{path} is damaged, incomplete, or no NumPy file ({error}): save or fetch it again.") from None
    if not parts:
        raise UserError(f"{path} holds {held}, but no images: name the array 'images' (and its labels 'labels').")
    return parts


def _labels_from_array(values: np.ndarray, count: int, source: str) -> Labels | None:
    """Labels (N,), (N, 1), or attributes (N, A) that came as an array."""
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim and len(values) != count:
        raise UserError(f"{source} holds {count} images but {len(values)} labels: give one label to each image.")
    if values.dtype.kind in "US" and values.ndim == 1:
        names, codes = np.unique(values, return_inverse=True)
        return Labels(codes, tuple(map(str, names)))
    integers = values.dtype.kind in "biu"
    if integers and values.ndim == 1:
        return make_class_labels(values)
    if integers and values.ndim == 2 and np.isin(values, (0, 1)).all():
        return Labels(values, tuple(map(str, range(values.shape[1]))))
    raise UserError(
        f"{source} has labels of type {values.dtype} and shape {values.shape}: "
        "give integers or names of shape (N,), or attributes 0 and 1 of shape (N, A)."
    )

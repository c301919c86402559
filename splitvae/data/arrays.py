"""Images that are arrays: in memory, in .npy and .npz files, and the digits of scikit-learn."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from torch import Tensor

from ..errors import UserError
from .geometry import ResizeOptions, array_to_pixels, crop_and_resize
from .parts import MAX_CLASSES, Labels, LoadedPart, PartSelection, make_class_labels, select_part

__all__ = ["labels_from_array", "read_array", "read_digits", "read_numpy_file"]


_SUFFIXES = (  # of the names of the arrays of a part
    ("all", ""),
    ("train", "_train"),
    ("test", "_test"),
    ("validation", "_val"),
    ("validation", "_valid"),
    ("validation", "_validation"),
)


def read_array(
    images: np.ndarray | Tensor, labels: Labels | None, selection: PartSelection, source_name: str, options: ResizeOptions
) -> LoadedPart:
    """Returns the selected rows of an array of images and of its labels, cropped and resized."""
    pixels = array_to_pixels(images, source_name)
    rows = selection.rows_of(len(pixels))
    pixels, notes = crop_and_resize(pixels[rows], options)
    chosen = labels and labels._replace(values=labels.values[rows])
    return LoadedPart(pixels, chosen, selection.notes + notes)


def read_digits(part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of the 1,797 digits of 8x8 pixels that scikit-learn carries."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8); scikit-learn's values are 0 ... 16
    selection = select_part({"all": len(pixels)}, part, "digits")
    return read_array(pixels, Labels(digits.target, tuple("0123456789")), selection, "digits", options)


def read_numpy_file(path: Path, source_name: str, part: str, options: ResizeOptions) -> LoadedPart:
    """Reads a part of a .npy or .npz file.

    Raises:
        UserError: If the file is damaged, holds pickled objects or no images, or if its labels do not fit the images.
    """
    parts = _load_numpy_parts(path)
    sizes = {part: images.shape[0] if images.ndim else 0 for part, (images, _) in parts.items()}
    selection = select_part(sizes, part, source_name)
    images, values = parts[selection.part]
    labels = None if values is None else labels_from_array(values, len(images), source_name)
    loaded = read_array(images, labels, selection, source_name, options)
    if values is not None and labels is None:
        ids = "np.unique(labels, return_inverse=True)[1] numbers others, such as those of patients"
        left_out = f"the labels are left out: classes are integers from 0 to {MAX_CLASSES - 1}; {ids}"
        loaded = loaded._replace(notes=(*loaded.notes, left_out))
    return loaded


def _load_numpy_parts(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Loads the images, and the labels if there are any, of each part in a .npy or .npz file, without unpickling."""
    parts: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return {"all": (content, None)}
        with content as arrays:
            for part, suffix in _SUFFIXES:
                if part in parts:
                    continue
                images = next((key for key in (f"images{suffix}", f"x{suffix}", f"arr_0{suffix}") if key in arrays), None)
                labels = next((key for key in (f"labels{suffix}", f"y{suffix}") if key in arrays), None)
                if images:
                    parts[part] = arrays[images], arrays[labels] if labels else None
            names = ", ".join(arrays.files) or "nothing"
    except Exception as error:  # NumPy's readers of zip, zlib and Python literals raise anything on damaged bytes
        if "Object arrays" in str(error) or _is_pickle(path):
            raise UserError(
                f"{path} holds pickled Python objects, which are refused since they can run code when they are read: "
                "save images of one size as one array, np.save(path, np.stack(images)), and labels as labels.astype(str)."
            ) from None
        reason = "it does not begin as one" if "pickled" in str(error) else error  # NumPy advises to load it as a pickle
        raise UserError(f"{path} is damaged, incomplete, or no NumPy file ({reason}): save or fetch it again.") from None
    if not parts:
        raise UserError(
            f"{path} holds {names}, but no images: name the array 'images' (and its labels 'labels'), "
            "or arrays of parts 'images_train', 'labels_train', 'images_test' and so on."
        )
    return parts


def _is_pickle(path: Path) -> bool:
    """Returns whether a file begins as Python's pickles do, which NumPy takes for the reason whatever it cannot read."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(1) == b"\x80"
    return False


def labels_from_array(values: np.ndarray, count: int, source_name: str) -> Labels | None:
    """Returns an array (N,), (N, 1) or (N, A) as labels of `count` images."""
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim and len(values) != count:
        raise UserError(f"{source_name} holds {count} images but {len(values)} labels: give one label to each image.")
    if values.dtype.kind in "US" and values.ndim == 1:
        names, numbers = np.unique(values, return_inverse=True)
        return Labels(numbers, tuple(map(str, names)))
    integers = values.dtype.kind in "biu"
    if integers and values.ndim == 1:
        return make_class_labels(values)
    if integers and values.ndim == 2 and np.isin(values, (0, 1)).all():
        return Labels(values, tuple(map(str, range(values.shape[1]))))
    raise UserError(
        f"{source_name} has labels of type {values.dtype} and shape {values.shape}: "
        "give integers or names of shape (N,), or attributes 0 and 1 of shape (N, A)."
    )

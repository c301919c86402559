"""What `splitvae.data` reads, and what it says about what it cannot read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from splitvae.data import mnist as idx
from splitvae.data.resize import resize
from splitvae.data.sources import load
from splitvae.errors import UserError
from splitvae.utils import download

RNG = np.random.default_rng(1)


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def encoded(array: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def save(path: Path, image: np.ndarray | Image.Image, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)


def write_idx(folder: Path, counts: tuple[int, int] = (12, 5), compress: bool = True, dot: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in idx.IDX_FILES:
        count = counts[0] if name.startswith("train") else counts[1]
        rank, body = (3, noise(count, 6, 6)) if "images" in name else (1, np.arange(count, dtype=np.uint8) % 10)
        content = struct.pack(f">{1 + rank}I", 0x800 + rank, *body.shape) + body.tobytes()
        name = name.replace("-idx", ".idx") if dot else name
        (folder / (name + ".gz" * compress)).write_bytes(gzip.compress(content) if compress else content)
    return folder


def image_table(cells: list, features: dict | None = None, **columns: object) -> pa.Table:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": cell, "path": None} if isinstance(cell, bytes) else cell for cell in cells]
    table = pa.table({"image": pa.array(cells, kind), **columns})
    info = {"info": {"features": {"image": {"_type": "Image"}, **(features or {})}}}
    return table.replace_schema_metadata({"huggingface": json.dumps(info)})


def refused(source: object, *words: str, split: str = "train", **options: int) -> None:
    with pytest.raises(UserError) as error:
        load(source, split, **options)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------- names


def test_the_digits_are_8x8_and_use_the_whole_range() -> None:
    digits = load("digits")
    assert digits.shape == (1, 8, 8) and digits.pixels.dtype == torch.uint8
    assert digits.pixels.min() == 0 and digits.pixels.max() == 255
    assert digits.classes == tuple("0123456789") and digits.labels.unique().tolist() == list(range(10))
    assert load("digits", side=16, channels=3).shape == (3, 16, 16)


def test_a_held_out_tenth_is_disjoint_from_the_rest_and_always_the_same() -> None:
    numbered = np.zeros((50, 4, 4), np.uint8) + np.arange(50, dtype=np.uint8)[:, None, None]
    train, test, again = load(numbered), load(numbered, "test"), load(numbered, "test")
    ids = [set(part.pixels[:, 0, 0, 0].tolist()) for part in (train, test)]
    assert len(train) == 45 and len(test) == 5 and ids[0] | ids[1] == set(range(50))
    assert torch.equal(test.pixels, again.pixels)
    assert "held out 5 of 50" in train.notes[0]


def test_unknown_names_are_answered_with_the_nearest_and_missing_paths_with_their_absence(tmp_path: Path) -> None:
    refused("mnsit", "did you mean 'mnist'")
    refused("fashion", "fashion-mnist")
    refused("", "a name, a path")
    refused([1, 2], "A list", "an array")
    refused("~nobody-of-this-name/x", "does not exist")
    refused(str(tmp_path / "absent"), "does not exist")
    save(tmp_path / "one.png", noise(8, 8))
    refused(str(tmp_path / "one.png"), "the folder of the images")


@pytest.mark.parametrize(("option", "value"), [("side", 0), ("crop", -1), ("channels", 4)])
def test_impossible_options_are_refused(option: str, value: int) -> None:
    refused("digits", f"{option}={value}", **{option: value})


def test_an_unknown_split_is_refused() -> None:
    refused("digits", "'tset'", split="tset")
    refused("digits", "no validation part", split="validation")


# ---------------------------------------------------------------- IDX


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dot", [True, False])
def test_a_folder_of_idx_files_is_read(tmp_path: Path, compress: bool, dot: bool) -> None:
    write_idx(tmp_path, compress=compress, dot=dot)
    train, test = load(tmp_path), load(str(tmp_path), "test")
    assert train.pixels.shape == (12, 1, 6, 6) and test.pixels.shape == (5, 1, 6, 6)
    assert train.labels.tolist() == [*range(10), 0, 1] and train.labels.dtype == torch.int64
    assert train.notes == ()


def test_missing_idx_files_are_named(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    refused(tmp_path, "lacks t10k-labels-idx1-ubyte")


def test_a_truncated_gz_file_is_refused(tmp_path: Path) -> None:
    path = write_idx(tmp_path) / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-30])
    refused(tmp_path, "train-images", "damaged or incomplete")


def test_a_damaged_gz_file_is_refused(tmp_path: Path) -> None:
    path = write_idx(tmp_path) / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[40] ^= 255
    path.write_bytes(bytes(content))
    refused(tmp_path, "train-images", "damaged")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "0 bytes"),
        (struct.pack(">4I", 0x802, 12, 6, 6) + bytes(432), "0x00000802"),
        (struct.pack(">4I", 0x803, 12, 6, 6) + bytes(400), "incomplete"),
        (struct.pack(">4I", 0x803, 12, 6, 6) + bytes(500), "damaged"),
        (struct.pack(">4I", 0x803, 11, 6, 6) + bytes(396), "11 images"),
    ],
)
def test_idx_files_that_contradict_themselves_or_each_other_are_refused(tmp_path: Path, content: bytes, word: str) -> None:
    write_idx(tmp_path, compress=False)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    refused(tmp_path, "train-images", word)


@pytest.mark.parametrize("packed", [True, False])
def test_a_download_passes_over_bad_mirrors_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    good, bad = write_idx(tmp_path / "good"), write_idx(tmp_path / "bad")
    contents = [(good / f"{name}.gz").read_bytes() for name in idx.IDX_FILES]
    sums = tuple(hashlib.md5(each if packed else gzip.decompress(each)).hexdigest() for each in contents)
    mirrors = tuple(f"{folder.as_uri()}/" for folder in (tmp_path / "nowhere", bad, good))
    monkeypatch.setitem(idx.HOSTED_DATASETS, "mnist", idx.HostedDataset(mirrors, sums, packed, tuple("abcdefghij")))
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    first = load("mnist")
    assert len(first) == 12 and first.classes == tuple("abcdefghij") and "downloaded" in first.notes[0]
    assert {path.name for path in (tmp_path / "cache/mnist").iterdir()} == {f"{name}.gz" for name in idx.IDX_FILES}
    monkeypatch.setattr(idx, "fetch", None)  # would fail if it were called
    assert torch.equal(load("mnist").pixels, first.pixels)


def test_without_a_network_the_files_and_their_place_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*args: object, **options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path))
    refused("kmnist", "Name or service not known", "t10k-labels-idx1-ubyte.gz", "codh.rois.ac.jp", "--data DIR")


def test_the_cache_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITVAE_DATA", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert download.cache_dir() == Path("/a")
    monkeypatch.delenv("SPLITVAE_DATA")
    assert download.cache_dir() == Path("/b/splitvae")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert download.cache_dir() == Path.home() / ".cache/splitvae"


# ---------------------------------------------------------------- folders of images


def test_a_flat_folder_is_unlabelled_and_keeps_its_pixels(tmp_path: Path) -> None:
    originals = noise(20, 12, 12, 3)
    for number, image in enumerate(originals):
        save(tmp_path / f"{number:02}.png", image)
    train, test = load(tmp_path), load(tmp_path, "test")
    assert train.labels is None and train.classes == () and train.shape == (3, 12, 12)
    both = {bytes(x.permute(1, 2, 0).contiguous().numpy()) for x in torch.cat([train.pixels, test.pixels])}
    assert both == {image.tobytes() for image in originals} and len(test) == 2


def test_subfolders_are_classes_and_train_and_test_are_parts(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 2)):
        for value, name in enumerate(("cat", "dog", "eel") if part == "train" else ("cat", "eel")):
            for number in range(count):
                save(tmp_path / part / name / f"{number}.png", np.full((8, 8), 50 * value, np.uint8))
    train, test = load(tmp_path), load(tmp_path, "test")
    assert train.classes == test.classes == ("cat", "dog", "eel")
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and test.labels.tolist() == [0, 0, 2, 2]
    assert (train.pixels[:, 0, 0, 0] == 50 * train.labels).all()
    refused(tmp_path, "no validation part, only", split="validation")


def test_a_validation_part_stands_in_for_a_test_part(tmp_path: Path) -> None:
    for part in ("train", "val"):
        for number in range(3):
            save(tmp_path / part / f"{number}.png", noise(8, 8))
    assert len(load(tmp_path)) == 3 and len(load(tmp_path, "validation")) == 3
    assert "stands in" in load(tmp_path, "test").notes[0]


def test_labels_of_a_held_out_part_belong_to_its_images(tmp_path: Path) -> None:
    for value in range(3):
        for number in range(10):
            save(tmp_path / f"class{value}" / f"{number}.png", np.full((8, 8), 50 * value, np.uint8))
    (tmp_path / "class1/5.png").write_bytes(b"\x89PNG broken")
    for split in ("train", "test"):
        images = load(tmp_path, split)
        assert (images.pixels[:, 0, 0, 0] == 50 * images.labels).all()


def test_other_and_damaged_files_are_named_and_skipped(tmp_path: Path) -> None:
    for number in range(20):
        save(tmp_path / f"{number:02}.png", noise(32, 32, 3))
    whole = (tmp_path / "00.png").read_bytes()
    for number in range(20):  # wherever the held-out tenth lies, some of each kind are seen
        if number % 3 == 0:
            (tmp_path / f"{number:02}.png").write_bytes((whole[:1500], b"", b"text")[number // 3 % 3])
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".DS_Store").write_text("clutter")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "ghost.png").write_text("clutter")
    images = load(tmp_path)
    told = " ".join(images.notes)
    assert "not images: notes.txt" in told and "cannot be read" in told and "truncated" in told and ".png (" in told
    assert "DS_Store" not in told and "ghost" not in told
    assert len(images) + len(load(tmp_path, "test")) == 13


def test_a_folder_with_no_images_or_only_bad_ones_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "no images", "no files at all")
    (tmp_path / "a.txt").write_text("hello")
    refused(tmp_path, "no images", "only a.txt")
    (tmp_path / "a.png").write_bytes(b"broken")
    refused(tmp_path, "1 image")
    (tmp_path / "b.png").write_bytes(b"broken")
    refused(tmp_path, "can be read")


def test_decompression_bombs_are_named_and_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train/a", "train/b", "test/a", "test/b"):
        save(tmp_path / f"{name}.png", noise(16, 16))
    save(tmp_path / "train/huge.png", noise(64, 64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    images = load(tmp_path)
    assert len(images) == 2 and "huge.png" in images.notes[-1] and "bomb" in images.notes[-1]


def two(path: Path, image: np.ndarray | Image.Image, **options: object) -> torch.Tensor:
    """The pixels read from a folder whose train part is one image, twice."""
    end = options.pop("end", "png")
    for name in ("train/a", "train/b", "test/a", "test/b"):
        save(path / f"{name}.{end}", image, **options)
    return load(path).pixels[0]


def test_transparency_is_composited_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[..., 0], rgba[:4, :, 3] = 200, 255  # above opaque dark red, below transparent
    pixels = two(tmp_path / "rgba", rgba)
    assert pixels[:, 0, 0].tolist() == [200, 0, 0] and pixels[:, 7, 0].tolist() == [255, 255, 255]
    palette = Image.fromarray(np.repeat(np.array([[0, 1]], np.uint8), 8, 0).repeat(4, 1)).convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    pixels = two(tmp_path / "p", palette, transparency=1)
    assert pixels[:, 0, 0].tolist() == [10, 20, 30] and pixels[:, 0, 7].tolist() == [255, 255, 255]
    pixels = two(tmp_path / "la", Image.merge("LA", [Image.new("L", (8, 8), 100), Image.new("L", (8, 8), 0)]))
    assert pixels.shape == (1, 8, 8) and (pixels == 255).all()


def test_sixteen_bits_are_scaled_and_cmyk_becomes_rgb(tmp_path: Path) -> None:
    wide = np.array([[0, 257, 65535, 128 * 257] * 2] * 8, np.uint16)
    assert two(tmp_path / "16", wide)[0, 0, :4].tolist() == [0, 1, 255, 128]
    wide = Image.fromarray(wide.astype(np.int32))
    assert two(tmp_path / "32", wide, end="tif")[0, 0, :4].tolist() == [0, 1, 255, 128]
    cmyk = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = two(tmp_path / "cmyk", cmyk, end="jpg", quality=100)[:, 8, 8].tolist()
    assert red < 10 and green > 245 and blue > 245


def test_one_coloured_image_makes_all_rgb_unless_channels_are_given(tmp_path: Path) -> None:
    for part in ("train", "test"):
        save(tmp_path / part / "gray.png", np.full((8, 8), 90, np.uint8))
        save(tmp_path / part / "colour.png", np.full((8, 8, 3), (10, 20, 30), np.uint8))
    images = load(tmp_path)
    assert images.pixels[:, :, 0, 0].tolist() == [[10, 20, 30], [90, 90, 90]]
    assert "converted 1 of 2 images to RGB: 1 of mode L" in images.notes
    assert load(tmp_path, channels=1).pixels[:, 0, 0, 0].tolist() == [18, 90]


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = np.zeros((16, 16), np.uint8)
    image[:8] = 255  # the upper half is white as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees: white is at the right
    pixels = two(tmp_path, image, end="jpg", exif=exif.tobytes(), quality=100)
    assert pixels[0, :, 12].min() > 250 and pixels[0, :, 3].max() < 5


def test_the_centre_square_is_kept_and_the_side_comes_from_the_median(tmp_path: Path) -> None:
    ramp = np.zeros((40, 100), np.uint8)
    ramp[:, 30:70] = 255  # the centre square
    pixels = two(tmp_path / "a", ramp)
    assert pixels.shape == (1, 32, 32) and (pixels == 255).all()
    notes = load(tmp_path / "a").notes
    assert "centre-cropped 2 of 2 images to squares" in notes and "to 32x32, from 40x40" in " ".join(notes)
    assert load(tmp_path / "a", crop=30).pixels.shape == (2, 1, 30, 30)
    assert load(tmp_path / "a", crop=20, side=10).pixels.shape == (2, 1, 10, 10)
    assert "smaller than the crop" in " ".join(load(tmp_path / "a", crop=50).notes)
    assert two(tmp_path / "b", noise(10, 13)).shape == (1, 16, 16)
    assert two(tmp_path / "c", noise(300, 200)).shape == (1, 128, 128)


def test_large_jpegs_are_decoded_reduced_without_moving(tmp_path: Path) -> None:
    y, x = np.mgrid[:600, :900]
    image = (127 + 100 * np.sin(x / 90) * np.cos(y / 70)).astype(np.uint8)
    drafted = two(tmp_path / "jpg", image, end="jpg", quality=95)
    whole = two(tmp_path / "png", image)
    assert drafted.shape == whole.shape == (1, 128, 128)
    assert (drafted.float() - whole.float()).abs().max() < 6  # JPEG's own error; a pixel's shift would give 7 or more
    small = [load(tmp_path / kind, side=16).pixels.float() for kind in ("jpg", "png")]
    assert (small[0] - small[1]).abs().mean() < 2


# ---------------------------------------------------------------- parquet


def test_parquet_gives_images_labels_names_and_parts(tmp_path: Path) -> None:
    originals = noise(6, 8, 8, 3)
    label = {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    for part, rows in (("train-00000-of-00002", [0, 1]), ("train-00001-of-00002", [2, 3]), ("test", [4, 5])):
        table = image_table([encoded(originals[i]) for i in rows], label, label=[i % 2 for i in rows])
        pq.write_table(table, tmp_path / f"{part}.parquet")
    train, test = load(tmp_path), load(tmp_path, "test")
    assert torch.equal(train.pixels, torch.from_numpy(originals[:4]).permute(0, 3, 1, 2))
    assert train.labels.tolist() == [0, 1, 0, 1] and train.classes == ("cat", "dog")
    assert torch.equal(test.pixels, torch.from_numpy(originals[4:]).permute(0, 3, 1, 2))
    refused(tmp_path, "no validation part", split="validation")


def test_boolean_columns_are_attributes(tmp_path: Path) -> None:
    table = image_table([encoded(noise(8, 8))] * 20, smiling=[True, False] * 10, hat=[False] * 19 + [None], name=["x"] * 20)
    pq.write_table(table, tmp_path / "faces.parquet")
    train = load(tmp_path / "faces.parquet")
    assert train.labels.shape == (18, 2) and train.classes == ("smiling", "hat")
    assert train.labels.sum(0)[1] == 0 and 7 <= train.labels.sum(0)[0] <= 10


def test_the_image_column_is_found_by_its_type_where_metadata_are_absent(tmp_path: Path) -> None:
    table = image_table([encoded(noise(8, 8))] * 4, label=[3, 1, 2, 0]).replace_schema_metadata(None)
    (tmp_path / "train").mkdir()
    for path in (tmp_path / "train/0.parquet", tmp_path / "validation.parquet"):
        pq.write_table(table.rename_columns(["picture", "label"]), path)
    images = load(tmp_path, "validation")
    assert images.labels.tolist() == [3, 1, 2, 0] and images.classes == ("0", "1", "2", "3")


def test_hub_marks_of_missing_labels_leave_images_unlabelled(tmp_path: Path) -> None:
    pq.write_table(image_table([encoded(noise(8, 8))] * 4, label=[-1] * 4), tmp_path / "a.parquet")
    images = load(tmp_path)
    assert images.labels is None and "'label' is left out" in images.notes[-1]


def test_damaged_images_in_parquet_are_named_by_row(tmp_path: Path) -> None:
    cells = [encoded(noise(8, 8)), b"broken", None, encoded(noise(8, 8)), {"bytes": None, "path": "gone.png"}]
    for part in ("train", "test"):
        pq.write_table(image_table(cells, label=[0, 1, 2, 3, 4]), tmp_path / f"{part}.parquet")
    images = load(tmp_path)
    assert images.labels.tolist() == [0, 3]
    for row in (1, 2, 4):
        assert f"row {row} of train.parquet" in images.notes[-1]


def test_bad_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 broken")
    refused(tmp_path, "a.parquet", "cannot be read as Parquet")
    pq.write_table(image_table([encoded(noise(64, 64))] * 9), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "a.parquet", "cannot be read as Parquet")
    pq.write_table(pa.table({"x": [1, 2], "name": ["a", "b"]}), path)
    refused(path, "no column of images", "x (int64)", "name (string)")
    pq.write_table(image_table([]), path)
    refused(path, "0 image")


def test_a_hub_data_set_is_read_undecoded_and_its_absence_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    rows = {"img": [{"bytes": encoded(noise(8, 8)), "path": None}] * 4, "label": [0, 1, 1, 0]}
    whole = datasets.DatasetDict(train=datasets.Dataset.from_dict(rows, features=features))
    whole["train"] = whole["train"].select([0, 2, 3])
    asked: list[tuple] = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *names: asked.append(names) or whole)
    train, test = load("hf://org/name/small"), load("hf://org/name/small", "test")
    assert asked[0] == ("org/name", "small") and train.classes == ("a", "b") and train.source == "hf://org/name/small"
    assert sorted(train.labels.tolist() + test.labels.tolist()) == [0, 0, 1]

    def absent(*names: str) -> None:
        raise ConnectionError("Couldn't reach the Hub\nat all")

    monkeypatch.setattr(datasets, "load_dataset", absent)
    refused("hf://org/name", "Couldn't reach the Hub", "the network")
    refused("hf://name", "hf://org/name")


# ---------------------------------------------------------------- arrays


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ((10, 8, 8), (1, 8, 8)),
        ((10, 8, 8, 1), (1, 8, 8)),
        ((10, 8, 8, 3), (3, 8, 8)),
        ((10, 3, 8, 8), (3, 8, 8)),
        ((10, 1, 8, 8), (1, 8, 8)),
        ((10, 24, 20, 3), (3, 16, 16)),
    ],
)
def test_both_layouts_of_arrays_are_understood(given: tuple[int, ...], read: tuple[int, ...]) -> None:
    assert load(noise(*given)).shape == read
    assert load(torch.from_numpy(noise(*given)) / 255).shape == read


def test_channels_last_is_preferred_where_both_layouts_are_possible() -> None:
    x = noise(10, 3, 16, 3)
    refused(x, "3x16 pixels")
    assert load(noise(10, 3, 16, 16, 3)[..., 0]).shape == (3, 16, 16)


def test_floats_in_the_unit_interval_are_rounded_to_bytes() -> None:
    x = np.zeros((10, 4, 4), np.float64)
    x[:, 0] = (1.0, 0.5, 0.1, 1 / 255)
    assert load(x).pixels[0, 0, 0].tolist() == [255, 128, 26, 1]
    assert load(torch.from_numpy(x).half()).pixels[0, 0, 0, 0] == 255
    assert load(x.astype(">f4")).pixels[0, 0, 0].tolist() == [255, 128, 26, 1]


def broken(value: float, dtype: type = np.float32) -> np.ndarray:
    array = np.zeros((10, 8, 8), dtype)
    array[3, 2, 1] = value
    return array


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (broken(np.nan), ("1 values that are NaN",)),
        (broken(np.inf), ("NaN or infinite",)),
        (broken(-0.5), ("-0.5 to 0", "[0, 1]")),
        (broken(255.0), ("0 to 255", "astype('uint8')")),
        (broken(300, np.int64), ("integer", "0 to 300")),
        (broken(255, np.uint16), ("integer", "astype('uint8')")),
        (broken(1, bool), ("integer",)),
        (broken(1, np.complex64), ("complex64",)),
        (np.array([["a"] * 8] * 8), ("<U1",)),
        (noise(10, 64), ("(10, 64)",)),
        (noise(10, 8, 8, 4), ("(10, 8, 8, 4)",)),
        (noise(2, 10, 8, 8, 3), ("(2, 10, 8, 8, 3)",)),
        (noise(32, 32, 3), ("array[None]",)),
        (noise(0, 8, 8), ("0 image",)),
        (noise(1, 8, 8), ("1 image", "at least 2")),
        (noise(10, 8, 0), ("(10, 8, 0)",)),
        (np.array(3), ("0 image",)),
    ],
)
def test_bad_arrays_are_refused_with_what_they_hold(array: np.ndarray, words: tuple[str, ...]) -> None:
    refused(array, *words)


def test_npy_and_npz_files_are_read(tmp_path: Path) -> None:
    images, labels = noise(20, 8, 8, 3), np.arange(20) % 4
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "b.npz", images=images, labels=labels)
    np.savez_compressed(tmp_path / "c.npz", x_train=images[:15], y_train=labels[:15, None], x_test=images[15:])
    np.savez(tmp_path / "d.npz", images)
    np.savez(tmp_path / "e.npz", x=images, y=np.array(["cat", "dog"] * 10))
    assert load(tmp_path / "a.npy").labels is None and len(load(tmp_path / "d.npz", "test")) == 2
    parts = [load(tmp_path / "b.npz", split) for split in ("train", "test")]
    assert sum((part.labels == 3).sum() for part in parts) == 5 and parts[0].classes == ("0", "1", "2", "3")
    assert load(tmp_path / "c.npz").labels.tolist() == labels[:15].tolist() and len(load(tmp_path / "c.npz", "test")) == 5
    assert load(tmp_path / "e.npz").classes == ("cat", "dog")


def test_bad_numpy_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, noise(20, 8, 8))
    path.write_bytes(path.read_bytes()[:500])
    refused(path, "incomplete")
    path.write_bytes(b"hello")
    refused(path, "no NumPy file")
    np.save(path, np.array([noise(3, 3), noise(4, 4)], dtype=object), allow_pickle=True)
    refused(path, "pickled", "can run code", "np.stack")
    path = tmp_path / "b.npz"
    np.savez(path, images=noise(20, 8, 8))
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    refused(path, "damaged")
    path.write_bytes(whole[:700] + bytes([whole[700] ^ 255]) + whole[701:])
    refused(path, "damaged")
    np.savez(path, images=np.array([noise(3, 3), None], dtype=object))
    refused(path, "pickled")
    np.savez(path, codes=noise(20, 8))
    refused(path, "codes", "name the array 'images'")


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (np.arange(19), "20 images but 19 labels"),
        (np.linspace(0, 1, 20), "float64"),
        (np.full((20, 3), 7), "attributes 0 and 1"),
        (np.array(3), "shape ()"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: np.ndarray, word: str) -> None:
    np.savez(tmp_path / "a.npz", images=noise(20, 8, 8), labels=labels)
    refused(tmp_path / "a.npz", word)


# ---------------------------------------------------------------- fit


def test_fit_returns_the_very_tensor_where_nothing_is_to_be_done() -> None:
    x = torch.from_numpy(noise(5, 3, 8, 8))
    assert resize(x, (3, 8, 8)) is x


def test_fit_pads_by_zeros_and_leaves_the_rest_untouched() -> None:
    x = torch.from_numpy(noise(5, 1, 28, 28))
    y = resize(x, (1, 32, 32), pad=2)
    assert torch.equal(y[:, :, 2:-2, 2:-2], x) and y.sum() == x.sum() and y.dtype == torch.uint8


def test_fit_converts_channels_by_repetition_and_by_luminance() -> None:
    gray = torch.from_numpy(noise(5, 1, 8, 8))
    rgb = resize(gray, (3, 8, 8))
    assert torch.equal(rgb, gray.expand(-1, 3, -1, -1)) and torch.equal(resize(rgb, (1, 8, 8)), gray)
    x = noise(5, 3, 8, 8)
    pillow = [np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L"), int) for image in x]
    assert np.abs(resize(torch.from_numpy(x), (1, 8, 8))[:, 0].numpy() - np.stack(pillow)).max() <= 1  # Pillow truncates


def test_fit_resizes_like_pillow_and_keeps_constants() -> None:
    x = noise(3, 1, 30, 30)
    pillow = [np.asarray(Image.fromarray(image[0]).resize((12, 12), Image.Resampling.BILINEAR), int) for image in x]
    ours = resize(torch.from_numpy(x), (1, 12, 12))[:, 0].numpy()
    assert np.abs(ours - np.stack(pillow)).max() <= 1  # Pillow rounds between the two directions
    assert (resize(torch.full((2, 3, 9, 7), 77, dtype=torch.uint8), (1, 32, 16)) == 77).all()


def test_fit_refuses_other_channels() -> None:
    with pytest.raises(UserError, match="only 1 and 3"):
        resize(torch.from_numpy(noise(5, 3, 8, 8)), (4, 8, 8))

"""Tests of the cache of decoded images: what is kept, when it is made anew, and what interrupts its making."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from splitvae.data import cache, decode, file_store, prepared
from splitvae.data.images import Images
from splitvae.data.sources import load
from splitvae.errors import UserError

SIDE = 8
COUNT = 40


@pytest.fixture(autouse=True)
def _small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own for each test, and several blocks of few images."""
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(decode, "_IMAGES_PER_TASK", 4)
    monkeypatch.setattr(decode, "_THREADS", 2)


@pytest.fixture
def photos(tmp_path: Path, noise: Callable[..., np.ndarray], save: Callable[..., None]) -> Path:
    """A folder of 40 images in two classes: some gray, some oblong, one cut, one that is none, and a text."""
    folder = tmp_path / "photos"
    for i in range(COUNT):
        size = (SIDE, SIDE + i % 3, 3)[: 2 + (i % 5 > 0)]
        save(folder / f"{'ab'[i % 2]}" / f"{i:02}.png", noise(*size))
    whole = (folder / "b/07.png").read_bytes()
    (folder / "b/07.png").write_bytes(whole[: len(whole) // 2])
    (folder / "a/10.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("hello")
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the items that are decoded from now on."""
    names: list[str] = []
    decode_image = decode._decode_image
    monkeypatch.setattr(
        decode, "_decode_image", lambda item, *rest: names.append(os.path.basename(item)) or decode_image(item, *rest)
    )
    return names


def assert_same(a: Images, b: Images) -> None:
    assert torch.equal(a.pixels, b.pixels)
    assert a.pixels.is_contiguous() and a.pixels.dtype == torch.uint8
    assert a.labels is not None and b.labels is not None and torch.equal(a.labels, b.labels)
    assert (a.classes, a.notes, a.shape, a.sha256) == (b.classes, b.notes, b.shape, b.sha256)


@pytest.mark.parametrize("options", [{}, {"crop": 6}, {"side": 16, "channels": 1}])
def test_prepared_images_are_those_of_a_direct_decode_and_decoded_once(
    photos: Path, decoded: list[str], options: dict[str, int]
) -> None:
    for part in ("train", "test"):
        direct = load(photos, part, cache=False, **options)
        assert_same(load(photos, part, cache=True, **options), direct)
        decoded.clear()
        assert_same(load(photos, part, **options), direct)
        assert decoded == []


def test_a_set_serves_whoever_asks_for_the_side_and_channels_that_it_has(photos: Path, decoded: list[str]) -> None:
    images = load(photos, cache=True)
    channels, side, _ = images.shape
    decoded.clear()
    assert_same(load(photos, side=side, channels=channels), images)
    assert decoded == []
    other = load(photos, side=side, channels=1, cache=True)
    assert other.shape == (1, side, side) and decoded
    decoded.clear()
    assert_same(load(photos), images)
    assert decoded == []


def test_small_sets_and_users_who_switch_it_off_get_no_cache(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(photos)
    monkeypatch.setenv("SPLITVAE_CACHE", "0")
    load(photos, cache=True)
    assert not (tmp_path / "cache").exists()
    monkeypatch.delenv("SPLITVAE_CACHE")
    monkeypatch.setattr(cache, "LEAST_IMAGES", 30)
    load(photos, cache=False)
    assert not (tmp_path / "cache").exists()
    load(photos)
    assert len(prepared.list_prepared()) == 1


def change(photos: Path) -> None:
    (photos / "b/03.png").write_bytes((photos / "b/05.png").read_bytes())


def touch(photos: Path) -> None:
    os.utime(photos / "b/03.png", ns=(0, 1))


def add(photos: Path) -> None:
    shutil.copy(photos / "b/03.png", photos / "b/new.png")


def remove(photos: Path) -> None:
    (photos / "b/03.png").unlink()


@pytest.mark.parametrize("act", [change, touch, add, remove])
def test_a_folder_that_changed_is_prepared_anew_and_the_old_set_removed(
    photos: Path, decoded: list[str], act: Callable[[Path], None]
) -> None:
    load(photos, cache=True)
    before = prepared.list_prepared()
    act(photos)
    direct = load(photos, cache=False)
    decoded.clear()
    assert_same(load(photos, cache=True), direct)
    assert len(decoded) >= len(direct)
    after = prepared.list_prepared()
    assert len(before) == len(after) == 1
    assert before[0].path != after[0].path


def half_written(folder: Path) -> None:
    half = folder / "half"
    half.write_bytes((folder / "pixels.bin").read_bytes()[:100])
    half.replace(folder / "pixels.bin")  # not in place, where this process reads the old one


def damaged(folder: Path) -> None:
    (folder / "set.json").write_text((folder / "set.json").read_text()[:50])


def without_rows(folder: Path) -> None:
    (folder / "rows.npy").unlink()


def with_empty_rows(folder: Path) -> None:
    (folder / "rows.npy").write_bytes(b"")


def of_another_format(folder: Path) -> None:
    text = (folder / "set.json").read_text()
    (folder / "set.json").write_text(text.replace(f'"format": {prepared.FORMAT}', '"format": 0'))


def of_another_decoder(folder: Path) -> None:
    text = (folder / "set.json").read_text()
    (folder / "set.json").write_text(text.replace(prepared.decoder_version(), "Pillow 1.0"))


@pytest.mark.parametrize(
    "spoil", [half_written, damaged, without_rows, with_empty_rows, of_another_format, of_another_decoder]
)
def test_a_set_that_is_not_whole_or_of_another_version_is_written_anew(
    photos: Path, decoded: list[str], spoil: Callable[[Path], None]
) -> None:
    direct = load(photos, cache=True)
    (entry,) = prepared.list_prepared()
    spoil(entry.path)
    decoded.clear()
    images = load(photos, cache=True)
    assert len(decoded) >= len(direct)
    assert_same(images, load(photos, cache=False))
    decoded.clear()
    assert_same(load(photos), direct)
    assert decoded == []


def in_a_child(work: Callable[[], object]) -> int:
    """Starts a process that does some work, and returns its number."""
    process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(0)
    return process


def test_a_killed_preparation_is_continued(
    photos: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    append = file_store.FileStore.append

    def append_and_die(store: file_store.FileStore, pixels: np.ndarray, done: int, failures: dict[int, str]) -> None:
        if done > 24:
            store.pixels.write(b"half a block")
            store.pixels.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        append(store, pixels, done, failures)

    with monkeypatch.context() as patch:
        patch.setattr(file_store.FileStore, "append", append_and_die)
        process = in_a_child(lambda: load(photos, cache=True))
        assert os.WTERMSIG(os.waitpid(process, 0)[1]) == signal.SIGKILL
    assert [entry.state for entry in prepared.list_prepared()] == ["unfinished"]
    monkeypatch.setattr(decode, "_read_headers", None)  # these were read before
    images = load(photos, cache=True)
    assert 0 < len(decoded) <= len(images) + 1 - 24
    monkeypatch.undo()
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    assert_same(images, load(photos, cache=False))
    assert_same(load(photos), images)


def test_pixels_that_were_lost_after_a_line_are_decoded_again(
    photos: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(store: file_store.FileStore, *rest: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(file_store.FileStore, "complete", stop)
    with pytest.raises(KeyboardInterrupt):
        load(photos, cache=True)
    monkeypatch.undo()
    monkeypatch.setattr(decode, "_IMAGES_PER_TASK", 4)
    monkeypatch.setenv("SPLITVAE_DATA", str(photos.parent / "cache"))
    (entry,) = prepared.list_prepared()
    with (entry.path / "pixels.bin").open("r+b") as file:
        file.truncate((entry.path / "pixels.bin").stat().st_size - 1)
    (entry.path / "headers.npz").write_bytes(b"PK half")
    with (entry.path / "progress.jsonl").open("a") as file:
        file.write('{"done": 9')
    assert_same(load(photos, cache=True), load(photos, cache=False))


def test_of_two_processes_the_second_waits_and_decodes_nothing(
    photos: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read_end, write_end = os.pipe()
    append = file_store.FileStore.append

    def append_late(store: file_store.FileStore, *rest: object) -> None:
        os.read(read_end, 1)  # until the other end is closed
        # Silenced: the arguments are passed on as they came.
        append(store, *rest)  # type: ignore[arg-type]  # passed on as given

    with monkeypatch.context() as patch:
        patch.setattr(file_store.FileStore, "append", append_late)
        process = in_a_child(lambda: (os.close(write_end), load(photos, cache=True)))
    while not list(prepared.prepared_folder().glob("*/progress.jsonl")):
        time.sleep(0.01)
    assert [entry.state for entry in prepared.list_prepared()] == ["being prepared"]
    assert prepared.remove_prepared(prepared.list_prepared()[0].path) is None
    monkeypatch.setattr(cache, "_ATTEMPTS_IN_SILENCE", 1)
    results: list[Images] = []
    second = threading.Thread(target=lambda: results.append(load(photos, cache=True)))
    second.start()
    time.sleep(0.3)
    assert second.is_alive() and not results
    os.close(write_end)
    second.join(20)
    assert os.waitpid(process, 0)[1] == 0
    os.close(read_end)
    assert decoded == []
    assert "Waiting for another process" in capfd.readouterr().err
    assert_same(results[0], load(photos, cache=False))


@pytest.fixture
def largest_file() -> Iterator[Callable[[int], None]]:
    """A function that sets how many bytes a file may have."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_space_is_said_before_anything_is_decoded(
    photos: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(photos)._replace(free=999)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        UserError, match=r"26,880 bytes.* needed and .*999 bytes.* free.*data clear.*SPLITVAE_DATA=.*CACHE=0"
    ):
        load(photos, cache=True)
    assert decoded == []


def test_no_space_in_the_middle_is_said_and_the_next_call_continues(
    photos: Path, decoded: list[str], largest_file: Callable[[int], None]
) -> None:
    largest_file(18_000)
    with pytest.raises(UserError, match=r"no room .* bytes\) are still needed and .* free"):
        load(photos, cache=True)
    largest_file(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    decoded.clear()
    images = load(photos, cache=True)
    assert len(decoded) < len(images) * 2 / 3
    assert_same(images, load(photos, cache=False))


def test_where_the_cache_cannot_be_written_images_are_decoded_into_memory(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    images = load(photos, cache=True)
    assert "not kept" in " ".join(images.notes)
    assert torch.equal(images.pixels, load(photos, cache=False).pixels)


def test_a_source_without_a_readable_image_leaves_nothing(photos: Path) -> None:
    for path in photos.rglob("*.png"):
        path.write_bytes(b"none")
    with pytest.raises(UserError, match="None of the"):
        load(photos, cache=True)
    assert prepared.list_prepared() == []


def test_a_change_of_the_pixels_reaches_neither_the_file_nor_the_hash(photos: Path) -> None:
    images, fresh = load(photos, cache=True), load(photos, cache=False)
    images.pixels[0] = 7
    assert images.sha256 != fresh.sha256
    assert_same(load(photos), fresh)


def test_nothing_is_shown_where_there_is_no_terminal(
    photos: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "_BAR_DELAY_SECONDS", 0)
    load(photos, cache=True)
    assert capfd.readouterr() == ("", "")


def test_what_is_not_of_the_cache_is_not_removed(photos: Path) -> None:
    load(photos, cache=True)
    (entry,) = prepared.list_prepared()
    (entry.path / "mine.txt").write_text("precious")
    freed = prepared.remove_prepared(entry.path)
    assert freed is not None and freed >= entry.size - 100
    assert [path.name for path in entry.path.iterdir()] == ["mine.txt"]
    assert prepared.list_prepared() == []

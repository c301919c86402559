"""Extractors: what they learn, that features depend on the image alone, and what is refused."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from splitvae import Images, load
from splitvae.errors import UserError
from splitvae.features import classifier
from splitvae.features.base import ModuleFeatures, extract_features
from splitvae.features.classifier import Classifier, load_or_train, why_unlearnable
from splitvae.features.registry import load_extractor

CPU = torch.device("cpu")
DIGITS = load("digits")
TEST = load("digits", "test")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


NOISE = torch.rand(40, 3, 8, 8, generator=generator())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache that the tests here share, so that each network is trained once, for half the steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPLITVAE_DATA", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(classifier, "MIN_STEPS", 100)
        yield


@pytest.fixture(scope="module")
def digits(cache: None) -> Classifier:
    return load_or_train(DIGITS, "classifier", CPU, progress=False)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and trainings of three steps."""
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path))
    monkeypatch.setattr(classifier, "MIN_STEPS", 3)
    monkeypatch.setattr(classifier, "MAX_STEPS", 3)
    return tmp_path / "features"


def relabelled(labels: Tensor | None, count: int = len(DIGITS)) -> Images:
    return dataclasses.replace(DIGITS, pixels=DIGITS.pixels[:count], labels=None if labels is None else labels[:count])


def network(channels: int = 3, dim: int = 5) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(channels, dim, 3), nn.BatchNorm2d(dim), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1))


@contextmanager
def refused(*words: str) -> Iterator[None]:
    with pytest.raises(UserError) as error:
        yield
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------- what is learned


def test_the_classifier_learns_its_classes(digits: Classifier) -> None:
    assert digits.accuracy > 0.9
    with torch.no_grad():
        told = digits.logits(extract_features(digits, TEST.pixels).float()).argmax(1)
    assert TEST.labels is not None and (told == TEST.labels).double().mean() > 0.9
    assert f"digits (accuracy {digits.accuracy:.1%}): not comparable with Inception" in digits.note


def test_rotation_learns_turns_without_labels(cache: None) -> None:
    turner = load_extractor("auto", relabelled(None), device=CPU, progress=False)
    assert turner.name == "rotation" and turner.dim == 64 and len(turner.fingerprint) == 16
    assert isinstance(turner, Classifier) and turner.accuracy > 0.7
    turned = torch.cat([TEST.pixels.rot90(k, (2, 3)) for k in range(4)])
    with torch.no_grad():
        told = turner.logits(extract_features(turner, turned).float()).argmax(1)
    assert (told == torch.arange(4).repeat_interleave(len(TEST))).double().mean() > 0.7


def test_features_are_not_cut_off_at_zero_and_of_like_scale(digits: Classifier) -> None:
    found = extract_features(digits, TEST.pixels)
    assert found.shape == (len(TEST), 64) and found.dtype == torch.float64
    assert (found.amin(0) < 0).all() and (found.amax(0) > 0).all()
    assert found.std(0).min() > 0.3 and found.std(0).max() < 3


def test_binary_attributes_are_learned_but_for_those_that_never_vary(hasty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "MIN_STEPS", 40)
    monkeypatch.setattr(classifier, "MAX_STEPS", 40)
    assert DIGITS.labels is not None
    bright = (DIGITS.pixels.float().mean((1, 2, 3)) > 80).long()
    attributes = torch.stack((DIGITS.labels % 2, bright, torch.ones_like(bright)), 1)
    odd = load_or_train(relabelled(attributes), "classifier", CPU, progress=False)
    assert odd.logits(torch.zeros(1, 64)).shape == (1, 2)
    assert odd.accuracy > 0.8


def test_auto_prefers_labels_that_differ(hasty: Path) -> None:
    def chosen(images: Images) -> str:
        return load_extractor("auto", images, device=CPU, progress=False).name

    assert chosen(DIGITS) == "classifier"
    assert chosen(relabelled(torch.ones(len(DIGITS), dtype=torch.int64))) == "rotation"
    assert chosen(relabelled(DIGITS.labels, 49)) == "rotation"


def test_what_cannot_be_learned_is_refused_with_a_way_out() -> None:
    same = torch.zeros(len(DIGITS), dtype=torch.int64)
    for images, what in [
        (relabelled(None), "no labels"),
        (relabelled(same), "same labels"),
        (relabelled(same[:, None].repeat(1, 3)), "same labels"),
        (relabelled(DIGITS.labels, 49), "49 images"),
    ]:
        with refused(what, "--features rotation"):
            load_or_train(images, "classifier", CPU)
    assert not why_unlearnable(relabelled(None, 20), "rotation")
    with refused("19 images", "--features inception"):
        load_or_train(relabelled(None, 19), "rotation", CPU)
    with refused("8x6", "squares"):
        load_or_train(dataclasses.replace(DIGITS, pixels=DIGITS.pixels[..., 1:7]), "rotation", CPU)


def test_features_of_another_shape_are_refused(digits: Classifier) -> None:
    with refused("(1, 8, 8)", "(1, 16, 16)"):
        extract_features(digits, torch.zeros(2, 1, 16, 16))


# ---------------------------------------------------------------- the cache


def test_a_cached_network_is_read_back_bit_by_bit_and_not_trained_again(
    digits: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "_train", lambda *_: pytest.fail("trained again"))
    again = load_or_train(DIGITS, "classifier", CPU)
    assert again.fingerprint == digits.fingerprint and again.accuracy == digits.accuracy and again.note == digits.note
    assert torch.equal(extract_features(again, TEST.pixels), extract_features(digits, TEST.pixels))


def test_the_same_images_train_the_same_network_and_others_another(hasty: Path, capsys: pytest.CaptureFixture) -> None:
    def files() -> set[str]:
        return {file.name for file in hasty.iterdir()}

    first = load_or_train(DIGITS, "classifier", CPU)
    assert capsys.readouterr().out.count("\n") == 1
    known = files()
    assert load_or_train(DIGITS, "classifier", CPU).fingerprint == first.fingerprint
    assert capsys.readouterr().out == "" and files() == known
    (file,) = hasty.iterdir()
    file.unlink()
    assert load_or_train(DIGITS, "classifier", CPU, progress=False).fingerprint == first.fingerprint and files() == known
    pixels = DIGITS.pixels.clone()
    pixels[7, 0, 3, 3] ^= 1
    load_or_train(dataclasses.replace(DIGITS, pixels=pixels), "classifier", CPU)
    assert len(files()) == 2 and len(capsys.readouterr().out) > 0
    assert DIGITS.labels is not None
    load_or_train(relabelled(DIGITS.labels.flip(0)), "classifier", CPU)
    load_or_train(DIGITS, "rotation", CPU)
    assert len(files()) == 4


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_cache_is_trained_anew(hasty: Path, damage: str) -> None:
    first = load_or_train(DIGITS, "classifier", CPU, progress=False)
    (file,) = hasty.iterdir()
    content = bytearray(file.read_bytes())
    content[-100] ^= 255
    file.write_bytes({"cut": content[:-500], "flipped": bytes(content), "empty": b"", "other": b"PK\x03\x04 none"}[damage])
    assert load_or_train(DIGITS, "classifier", CPU, progress=False).fingerprint == first.fingerprint


def test_a_cache_that_cannot_be_written_costs_a_training_only(
    hasty: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hasty.parent / "file").write_text("")
    monkeypatch.setenv("SPLITVAE_DATA", str(hasty.parent / "file"))
    assert load_or_train(DIGITS, "classifier", CPU).dim == 64
    assert "cannot be written" in capsys.readouterr().out


def test_training_and_measuring_leave_random_numbers_and_modes_alone(hasty: Path) -> None:
    before = torch.get_rng_state()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        learned = load_or_train(DIGITS, "rotation", CPU, progress=False)
    extract_features(learned, TEST.pixels)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(not module.training for module in learned.modules())
    assert all(weight.grad_fn is None and weight.dtype == torch.float32 for weight in learned.parameters())


# ---------------------------------------------------------------- features


def test_features_are_those_of_each_image_alone(digits: Classifier) -> None:
    whole = extract_features(digits, TEST.pixels)
    order = torch.randperm(len(TEST), generator=generator())
    # Another batch is another order of summation in float32.
    torch.testing.assert_close(extract_features(digits, TEST.pixels, size=7), whole, rtol=0, atol=2e-5)
    torch.testing.assert_close(extract_features(digits, TEST.pixels[order], size=64), whole[order], rtol=0, atol=2e-5)
    batches = (chunk.float() / 255 for chunk in TEST.pixels.split(50))
    torch.testing.assert_close(extract_features(digits, batches), whole, rtol=0, atol=2e-5)


def test_features_are_taken_in_evaluation_mode_float32_without_gradients(digits: Classifier) -> None:
    whole = extract_features(digits, TEST.pixels)
    digits.train()
    try:
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(extract_features(digits, TEST.pixels), whole)
        assert all(module.training for module in digits.modules())
    finally:
        digits.eval()
    assert not whole.requires_grad
    mixed = ModuleFeatures(network(), "mixed").train()
    mixed.module[1].eval()  # type: ignore[index, union-attr]  # a Sequential
    assert torch.equal(extract_features(mixed, NOISE), extract_features(mixed, NOISE))
    assert mixed.training and not mixed.module[1].training  # type: ignore[index, union-attr]  # a Sequential


def test_floats_are_rounded_only_when_asked(digits: Classifier) -> None:
    floats = TEST.pixels.float() / 255
    between = (floats + 0.4 / 255).clamp(0, 1)
    whole = extract_features(digits, TEST.pixels)
    assert torch.equal(extract_features(digits, floats), whole)
    assert torch.equal(extract_features(digits, between, quantise=True), whole)
    assert (extract_features(digits, between) - whole).abs().max() > 1e-3


def test_gray_becomes_rgb_with_one_note() -> None:
    extractor, notes = ModuleFeatures(network(), "net"), list[str]()
    gray = NOISE[:, :1]
    found = extract_features(extractor, gray, size=9, notes=notes)
    torch.testing.assert_close(found, extract_features(extractor, gray.repeat(1, 3, 1, 1)), rtol=0, atol=1e-6)
    extract_features(extractor, gray, notes=notes)
    assert len(notes) == 1 and "gray" in notes[0] and "net" in notes[0]
    assert extract_features(extractor, gray).shape == (40, 5)  # notes are optional


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.rand(2, 2, 8, 8), ("(2, 2, 8, 8)", "of 3 channels")),
        (torch.rand(2, 8, 8), ("(2, 8, 8)", "of 3 channels")),
        (torch.rand(2, 3, 8, 8) * 2 - 1, ("[0, 1]", "-0.")),
        (torch.ones(2, 3, 8, 8, dtype=torch.int64), ("int64", "uint8")),
        (torch.zeros(0, 3, 8, 8), ("no images", "at least 1")),
        (torch.zeros(0, 3, 8, 8, dtype=torch.uint8), ("no images",)),
        ([], ("no images",)),
        (torch.full((2, 3, 8, 8), torch.nan), ("not finite", "2 of 2")),
    ],
)
def test_images_that_have_no_features_are_refused(images: Tensor | list[Tensor], words: tuple[str, ...]) -> None:
    with refused(*words):
        extract_features(ModuleFeatures(network(), "net"), images)


def test_colour_is_not_given_to_what_reads_gray(digits: Classifier) -> None:
    with refused("of 1 channel", "(40, 3, 8, 8)"):
        extract_features(digits, NOISE)


def test_features_that_are_not_finite_name_their_first_image() -> None:
    class Inverse(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1 / x.mean((2, 3))

    images = NOISE.clone()
    images[[11, 30], 1] = 0
    with refused("inverse", "2 of 40", "image 11"):
        extract_features(ModuleFeatures(Inverse(), "inverse"), images, size=8)


# ---------------------------------------------------------------- modules and files


def test_any_module_is_an_extractor() -> None:
    module = network().eval()
    extractor = ModuleFeatures(module, "net", shape=(3, 8, 8))
    assert (extractor.dim, extractor.channels, extractor.name) == (5, 3, "net") and "same module" in extractor.note
    with torch.no_grad():
        torch.testing.assert_close(extract_features(extractor, NOISE).float(), module(NOISE).flatten(1), rtol=0, atol=1e-6)
    fingerprint = extractor.fingerprint
    assert ModuleFeatures(network(), "again").fingerprint == fingerprint
    with torch.no_grad():
        module[0].bias[0] += 1e-3  # type: ignore[index, operator]  # a Sequential
    assert extractor.fingerprint != fingerprint
    assert ModuleFeatures(network(1), "gray", shape=(1, 8, 8)).channels == 1
    assert ModuleFeatures(network(3), "colour", shape=(1, 8, 8)).channels == 3
    assert ModuleFeatures(nn.Flatten(), "pixels", shape=(1, 8, 8)).dim == 64


def test_modules_that_make_no_vectors_are_refused() -> None:
    with refused("a tensor of shape (2, 3, 64, 64)", "(B, dim)"):
        ModuleFeatures(nn.Identity(), "identity")
    with refused("3 channels and 64x64", "shape=(C, H, W)"):
        ModuleFeatures(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), "dense")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["scripted", "traced", "frozen"])
def test_a_torchscript_file_is_an_extractor(tmp_path: Path, kind: str) -> None:
    module, file = network(dim=6).eval(), tmp_path / "net.pt"
    script = torch.jit.trace(module, NOISE) if kind == "traced" else torch.jit.script(module)
    (torch.jit.freeze(script) if kind == "frozen" else script).save(str(file))
    extractor = load_extractor(str(file), DIGITS, device=CPU)
    assert (extractor.name, extractor.dim) == ("net.pt", 6) and len(extractor.fingerprint) == 16
    assert "net.pt" in extractor.note and str(tmp_path) not in extractor.note
    with torch.no_grad():
        torch.testing.assert_close(extract_features(extractor, NOISE).float(), module(NOISE).flatten(1), rtol=0, atol=1e-5)
    assert load_extractor(str(file), device=CPU).fingerprint == extractor.fingerprint


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_file_of_another_kind_is_refused_unread(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return exec, (f"open({str(tmp_path / 'exploded')!r}, 'w')",)

    torch.save(Bomb(), tmp_path / "pickled.pt")
    torch.save(Bomb(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "text.pt").write_text("none")
    (tmp_path / "empty.pt").write_text("")
    for name in ("pickled.pt", "old.pt", "text.pt", "empty.pt"):
        with refused(name, "no TorchScript file", "executes code"):
            load_extractor(str(tmp_path / name))
    assert not (tmp_path / "exploded").exists()
    with refused("missing.pt is no file", "TorchScript"):
        load_extractor(str(tmp_path / "missing.pt"))


def test_names_are_checked(tmp_path: Path) -> None:
    with refused("'inceptoin'", "did you mean 'inception'"):
        load_extractor("inceptoin")
    with refused("'rotation'", "training images"):
        load_extractor("rotation")
    with refused("weights", "'inception'"):
        load_extractor("classifier", DIGITS, weights=tmp_path)


def test_inception_is_given_its_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Stub(nn.Module):
        def __init__(self, weights: Path | None) -> None:
            super().__init__()
            self.weights = weights

    class Keras(Stub):
        pass

    networks = SimpleNamespace(FIDInception=Stub, KerasInception=Keras)
    monkeypatch.setitem(sys.modules, "splitvae.features.inception_v3", networks)
    found = load_extractor("inception", weights=tmp_path, device=CPU)
    assert type(found) is Stub and found.weights == tmp_path and not found.training
    assert type(load_extractor("inception-keras", device=CPU)) is Keras

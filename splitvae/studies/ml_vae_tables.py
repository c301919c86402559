"""The result of the Multi-Level VAE's experiment as tables of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ..probes.verdicts import NamedAccuracy, find_shortcomings, summarise_shortcomings
from ..utils.text import align_columns
from .ml_vae_public_probes import MODES
from .ml_vae_systems import README_ACCURACIES, SYSTEMS

__all__ = ["FUSED_MEMBERS", "ml_vae_table"]

NOTE_CHARACTERS = 120
FUSED_MEMBERS = 4  # images whose evidence is fused for the table
NETWORKS = {"": "ours", "released ": "released", "untrained ": "untrained encoder"}  # by the prefix of their probes
CODES = {"content, evidence": "class, evidence", "content": "class, alone", "style": "style"}  # by their probes


def ml_vae_table(result: Mapping[str, Any]) -> str:
    """Formats a result of `reproduce_ml_vae`: the public code's models, then the models whose heads all train."""
    sentences = summarise_shortcomings(list(_shown_probes(result)), result["iterations"])
    marked = [f"* {sentence}" if sentence.startswith("Too few") else sentence for sentence in sentences]
    notes = [line for sentence in marked for line in textwrap.wrap(sentence, NOTE_CHARACTERS)]
    return "\n".join([*_public_code_lines(result), "", *_trained_lines(result), *notes])


def _public_code_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yields the README's accuracies beside ours and those of an untrained encoder, then accuracies of posterior means."""
    systems = {name: measured for name, measured in result["systems"].items() if SYSTEMS[name].public_code}
    prefixes = [prefix for prefix in NETWORKS if any(f"{prefix}style" in m["readme"] for m in systems.values())]
    yield "The public code's table: % right of a probe of SAMPLED codes, on test images (its code: class heads are frozen)"
    rows = []
    for code, title in CODES.items():
        for name, measured in systems.items():
            for mode in MODES:
                published = _published(name, code) if mode == "training" else ""
                cells = [_format_mode(measured["readme"].get(prefix + code), mode) for prefix in prefixes]
                rows.append([title, name, mode, published, *cells])
    headings = ["code", "model", "BatchNorm in", "README", *(NETWORKS[prefix] for prefix in prefixes)]
    yield from _indent(align_columns(headings, rows))
    yield "In training mode, as in that code, BatchNorm of the probe uses the statistics of the test batch; in evaluation"
    yield 'mode the running ones. "Evidence" is that of all images of a true label in a batch of 128; "alone" has'
    groups = next(iter(systems.values()))["readme"]["content, evidence"]["groups"]
    yield f"noise N(0, 1). ± is one standard error over distinct codes: {groups:,} groups with evidence, else test images."
    yield "The same models by posterior MEANS of single images, which noise does not hide (evaluation mode), and the MSE of"
    yield "reconstructions, with its factor if the class code is that of an image of another digit:"
    rows = []
    for name, measured in systems.items():
        for prefix in prefixes:
            if f"{prefix}style means" in measured["readme"]:
                accuracies = [measured["readme"][f"{prefix}{code} means"]["evaluation"] for code in ("style", "content")]
                use = measured["use"][prefix.strip() or "trained"]
                epochs = "" if prefix else str(measured["epochs"])
                swaps = [f"{use['mse']:.4f}", f"{use['content_ratio']:.2f}"]
                title = "" if prefix else SYSTEMS[name].description
                rows.append([name, title, NETWORKS[prefix], epochs, *map(_format_accuracy, accuracies), *swaps])
    headings = ["model", "", "weights", "epochs", "style", "class", "MSE", "class swapped, times"]
    yield from _indent(align_columns(headings, rows))


def _published(name: str, code: str) -> str:
    """Formats the README's accuracy of a model's code on test images."""
    std = {"readme-1": 1.0, "readme-0.1": 0.1}.get(name)
    if std is None:
        return ""
    accuracies = README_ACCURACIES[std, code != "content"]
    return f"{accuracies.style_test if code == 'style' else accuracies.class_test:.1f}"


def _trained_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yields the accuracies of posterior means of the models whose heads all train, and how much the decoder uses them."""
    yield "Models whose heads all train: % right of a probe of posterior MEANS, on test images, in evaluation mode"
    yield "(style should tell nothing, a content alone all; in brackets the untrained encoder)"
    rows = []
    for name, measured in result["systems"].items():
        if SYSTEMS[name].public_code:
            continue
        curve = {point["members"]: point for point in measured["curve"]}
        rows.append(
            [
                name,
                SYSTEMS[name].description,
                str(measured["epochs"]),
                _format_accuracy(measured["codes"]["style"]["means"]),
                _format_with_untrained(curve[1]),
                _format_with_untrained(curve[FUSED_MEMBERS]),
                f"{measured['use']['mse']:.4f}",
                f"{measured['use']['content_ratio']:.1f}",
            ]
        )
    headings = ["system", "", "epochs", "style", "content of 1", f"of {FUSED_MEMBERS}", "MSE", "content swapped, times"]
    yield from _indent(align_columns(headings, rows))
    majority = f"{100 * result['systems']['corrected']['majority']:.1f} %"
    probes = f"Probes of {result['iterations']:,} iterations, seed {result['seed']}"
    yield f"Always the most frequent digit: {majority}. {probes};"
    yield "± is one standard error over test images, or groups that share none."


def _shown_probes(result: Mapping[str, Any]) -> Iterator[NamedAccuracy]:
    """Yields the name, the accuracy and the share of the most frequent label for each number of the tables."""
    for name, measured in result["systems"].items():
        if SYSTEMS[name].public_code:
            for code, accuracies in measured["readme"].items():
                if code != "majority":
                    majority = None if code.startswith("untrained") else measured["readme"]["majority"]["test"]
                    yield from ((f"{name} {code} ({mode})", accuracies[mode], majority) for mode in MODES)
        else:
            codes = {"style": measured["codes"]["style"]}
            codes |= {f"content of {p['members']}": p for p in measured["curve"] if p["members"] in (1, FUSED_MEMBERS)}
            for code, accuracies in codes.items():
                yield f"{name} {code}", accuracies["means"], measured["majority"]
                yield f"{name} untrained {code}", accuracies["untrained_means"], None


def _indent(text: str) -> Iterator[str]:
    """Yields the lines of a text, each after two spaces."""
    yield from (f"  {line}" for line in text.splitlines())


def _format_mode(accuracies: Mapping[str, Any] | None, mode: str) -> str:
    """Formats the accuracy of a probe in one mode; "" if it was not measured."""
    return "" if accuracies is None else _format_accuracy(accuracies[mode])


def _format_accuracy(accuracy: Mapping[str, float]) -> str:
    """Formats a test accuracy in percent with its standard error, and with * if it is not settled."""
    mark = "*" if find_shortcomings(accuracy) else ""
    return f"{100 * accuracy['test']:.1f} ± {100 * accuracy['error']:.1f}{mark}"


def _format_with_untrained(point: Mapping[str, Any]) -> str:
    """Formats the test accuracy of posterior means, with that of the untrained network in brackets."""
    return f"{_format_accuracy(point['means'])} ({100 * point['untrained_means']['test']:.1f})"

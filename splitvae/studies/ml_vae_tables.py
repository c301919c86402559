"""The result of the Multi-Level VAE's experiment as tables of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ..probes.verdicts import NamedAccuracy, summarise_shortcomings
from ..utils.text import align_columns
from .ml_vae_public_probes import MODES
from .ml_vae_systems import README_ACCURACIES, SYSTEMS

__all__ = ["FUSED_MEMBERS", "ml_vae_table"]

NOTE_CHARACTERS = 120
FUSED_MEMBERS = 4  # images whose evidence is fused for the table
NETWORKS = {"": "ours", "released ": "released", "untrained ": "untrained"}  # by the prefix of their probes
CODES = {"content, evidence": "class, evidence", "content": "class, alone", "style": "style"}  # by their probes


def ml_vae_table(result: Mapping[str, Any]) -> str:
    """Formats a result of `reproduce_ml_vae`: the public code's models, then the models whose heads all train."""
    sentences = summarise_shortcomings(list(_shown_probes(result)), result["iterations"])
    notes = [line for sentence in sentences for line in textwrap.wrap(sentence, NOTE_CHARACTERS)]
    return "\n".join([*_public_code_lines(result), "", *_trained_lines(result), *notes])


def _public_code_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yields the README's accuracies beside ours and those of an untrained encoder, then accuracies of posterior means."""
    systems = {name: measured for name, measured in result["systems"].items() if SYSTEMS[name].public_code}
    prefixes = [prefix for prefix in NETWORKS if any(f"{prefix}style" in m["readme"] for m in systems.values())]
    yield "The public code's table: % right of a probe of SAMPLED codes, on test images (its code: class heads are frozen)."
    yield "Its probes stay in training mode, so that BatchNorm uses the statistics of the test batch; in evaluation mode it"
    yield 'uses the running ones. "Evidence" is that of all images of a true label in a batch of 128.'
    rows = []
    for code, title in CODES.items():
        for name, measured in systems.items():
            cells = [
                _format_accuracy(measured["readme"][prefix + code][mode]) if prefix + code in measured["readme"] else "-"
                for prefix in prefixes
                for mode in MODES
            ]
            rows.append([title, name, SYSTEMS[name].description, _published(name, code), *cells])
    headings = ["code", "model", "", "README"]
    headings += [f"{NETWORKS[prefix]}, {mode}" for prefix in prefixes for mode in MODES]
    yield from _indent(align_columns(headings, rows))
    groups = next(iter(systems.values()))["readme"]["content, evidence"]["groups"]
    yield f"± is one standard error over distinct codes: {groups:,} groups with evidence (one code each), else test images."
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
                rows.append([name, NETWORKS[prefix], epochs, *map(_format_accuracy, accuracies), *swaps])
    yield from _indent(align_columns(["model", "weights", "epochs", "style", "class", "MSE", "class swapped, times"], rows))


def _published(name: str, code: str) -> str:
    """Formats the README's accuracy of a model's code on test images."""
    std = {"readme-1": 1.0, "readme-0.1": 0.1}.get(name)
    if std is None:
        return "-"
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


def _format_accuracy(accuracy: Mapping[str, float]) -> str:
    """Formats a test accuracy in percent with its standard error."""
    return f"{100 * accuracy['test']:.1f} ± {100 * accuracy['error']:.1f}"


def _format_with_untrained(point: Mapping[str, Any]) -> str:
    """Formats the test accuracy of posterior means, with that of the untrained network in brackets."""
    return f"{_format_accuracy(point['means'])} ({100 * point['untrained_means']['test']:.1f})"

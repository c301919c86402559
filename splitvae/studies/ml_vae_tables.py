"""The result of the Multi-Level VAE's experiment as tables of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..utils.text import align_columns
from .ml_vae_systems import README_ACCURACIES, SYSTEMS

__all__ = ["FUSED_MEMBERS", "ml_vae_table"]

FUSED_MEMBERS = 4  # images whose evidence is fused for the table


def ml_vae_table(result: Mapping[str, Any]) -> str:
    """Formats a result of `reproduce_ml_vae`: the public code's models, then the models whose heads all train."""
    return "\n".join([*_public_code_lines(result), "", *_trained_lines(result)])


def _public_code_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yields the README's accuracies beside ours and those of an untrained encoder, then accuracies of posterior means."""
    yield "The README's table: % right of a probe of SAMPLED codes, on test images (its code: classes are frozen)"
    rows = []
    for (noise_std, evidence), published in README_ACCURACIES.items():
        measured = result["systems"][f"readme-{noise_std:g}"]["readme"]
        name = "content, evidence" if evidence else "content"
        rows.append(
            [
                f"N(0, {noise_std:g}^2), evidence {'yes' if evidence else 'no'}",
                f"{published.style_test:.1f}",
                _format_accuracy(measured["style"]),
                f"{published.class_test:.1f}",
                _format_accuracy(measured[name]),
                _format_accuracy(measured[f"untrained {name}"]),
            ]
        )
    headings = ["noise of the class code", "style, README", "ours", "class, README", "ours", "untrained encoder"]
    yield from _indent(align_columns(headings, rows))
    yield "The same models by posterior MEANS of single images, which noise does not hide:"
    rows = []
    for name in ("readme-1", "readme-0.1"):
        measured = result["systems"][name]["readme"]
        keys = ("style means", "untrained style means", "content means", "untrained content means")
        epochs = str(result["systems"][name]["epochs"])
        rows.append([name, epochs, *(_format_accuracy(measured[key]) for key in keys)])
    yield from _indent(align_columns(["model", "epochs", "style", "untrained", "class", "untrained"], rows))


def _trained_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yields the accuracies of posterior means of the models whose heads all train, and how much the decoder uses them."""
    yield "Models whose heads all train: % right of a probe of posterior MEANS, on test images"
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


def _indent(text: str) -> Iterator[str]:
    """Yields the lines of a text, each after two spaces."""
    yield from (f"  {line}" for line in text.splitlines())


def _format_accuracy(accuracy: Mapping[str, float]) -> str:
    """Formats a test accuracy in percent with its standard error."""
    return f"{100 * accuracy['test']:.1f} ± {100 * accuracy['error']:.1f}"


def _format_with_untrained(point: Mapping[str, Any]) -> str:
    """Formats the test accuracy of posterior means, with that of the untrained network in brackets."""
    return f"{_format_accuracy(point['means'])} ({100 * point['untrained_means']['test']:.1f})"

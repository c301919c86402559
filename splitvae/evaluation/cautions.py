"""Cautions: sentences about an evaluation whose numbers rest on too little, or are worse than nothing.

| caution                | condition                          | what it concerns                                |
| ---------------------- | ---------------------------------- | ----------------------------------------------- |
| too early              | fewer than 1,000 training steps    | latents in use, the kind of the split           |
| too few images         | fewer than 100 test images         | all numbers, and most of all latents in use     |
| worse than uniform     | more than 8 bits a dimension       | the likelihood: bytes without a model need 8    |

The limit of 1,000 steps comes from the variance of the paper, which starts at 1 and takes 450 to 750 steps to come down to
the error: before, the KL weighs too much and latents are off that are used later. Below 100 images the variance of a
latent's mean is known to 14 % at best.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import setting
from ..utils.text import count_noun

__all__ = ["find_cautions", "qualify", "trained_too_briefly"]

MIN_STEPS = 1000  # of a training whose latents and split are judged
MIN_IMAGES = 100
UNIFORM_BITS = 8.0  # a dimension, of bytes that are all as likely
EARLY_NUMBERS = (  # paths in evaluation.json of numbers that change most in the first steps
    "latent inactive_by_mean",
    "latent inactive_by_variance",
    "latent active_units",
    "split verdict",
)


def find_cautions(evaluation: Mapping[str, Any]) -> list[str]:
    """Returns the cautions on an evaluation, as sentences; none where its numbers can be taken as they are."""
    cautions = []
    if trained_too_briefly(evaluation):
        steps = evaluation["model"]["steps"]
        cautions.append(
            f"The model was trained for {count_noun(steps, 'step')}, fewer than {MIN_STEPS:,}: it is too early to judge "
            "how many latents are in use, and of which kind the split is."
        )
    images = evaluation.get("data", {}).get("images", MIN_IMAGES)
    if images < MIN_IMAGES:
        few = f"{count_noun(images, 'test image')} {'is' if images == 1 else 'are'} too few"
        cautions.append(f"{few} for numbers to rely on; give at least {MIN_IMAGES}.")
    bits = (evaluation.get("likelihood") or {}).get("bits_per_dimension", {}).get("value", 0.0)
    if bits > UNIFORM_BITS:
        cautions.append(
            f"The likelihood of {bits:.2f} bits a dimension is worse than that of uniform noise, 8: the variance v "
            f"of the training has not come down to the error; train longer, or with a smaller {setting('v')}."
        )
    return cautions


def trained_too_briefly(evaluation: Mapping[str, Any]) -> bool:
    """Returns whether the training had too few steps to judge latents and split; False if their number is not known."""
    steps = evaluation.get("model", {}).get("steps")
    return steps is not None and steps < MIN_STEPS


def qualify(text: str, evaluation: Mapping[str, Any], path: str) -> str:
    """Returns the text of a number, with "(too early)" if it is one that changes most in the first steps.

    Arguments:
        text: The number as text.
        evaluation: The content of evaluation.json.
        path: The path of the number in it.
    """
    early = path in EARLY_NUMBERS and text != "not applicable" and trained_too_briefly(evaluation)
    return f"{text} (too early: {count_noun(evaluation['model']['steps'], 'step')})" if early else text

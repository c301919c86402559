"""What in the style of a grouped latent is independent of its content, by a conditional flow of the run's codes.

`probe` fits the flow, and probes the style and its independent part. Where training has made the style independent already,
the style itself can tell less of the labels than that part: the flow is then no use.
"""

from __future__ import annotations

from contextlib import suppress

from ..evaluation.fitted_samplers import find_fitted_sampler, sampler_for
from ..evaluation.protocols import configure_sampler
from ..models.codes import encode
from ..models.latents import GroupedHead
from ..models.vae import VAE
from ..runs import Run
from ..samplers.conditional_flow import ConditionalFlow
from ..samplers.fit import MIN_CODES
from ..utils.files import read_json
from ..utils.progress import show_fit
from .labelled_images import LabelledImages

__all__ = ["INDEPENDENT_STYLE", "find_useful_flow", "fit_flows"]

INDEPENDENT_STYLE = "independent style"  # its name among the codes of probes.json


def fit_flows(
    run: Run, untrained: VAE, train: LabelledImages, progress: bool = True
) -> tuple[ConditionalFlow | None, ConditionalFlow | None]:
    """Returns conditional flows of the codes of a run's model and of its untrained copy.

    There are none if the latent is not grouped, or if there are too few images for a flow.

    Arguments:
        run: The run, to which the flow of its model is saved.
        untrained: The untrained copy.
        train: The training images.
        progress: Whether progress is printed.
    """
    if not isinstance(untrained.encoder.latent, GroupedHead) or len(train.labels) < MIN_CODES:
        return None, None
    name = ConditionalFlow.name
    shown = [show_fit(f"{name}, {which}") if progress else None for which in ("trained", "untrained")]
    trained, other = sampler_for(run, name, progress=shown[0]), configure_sampler(run, name)
    assert isinstance(trained, ConditionalFlow) and isinstance(other, ConditionalFlow)
    return trained, other.fit(encode(untrained, train.images), shown[1])


def find_useful_flow(run: Run) -> ConditionalFlow | None:
    """Returns the flow that was fitted to the codes of a run's model; None if there is none, or if the style tells less.

    Arguments:
        run: The run. Without probes of this very model its flow is taken to be of use.
    """
    flow = find_fitted_sampler(run, ConditionalFlow.name)
    file = run.path / "probes.json"
    result = read_json(file) if file.is_file() else {}
    with suppress(KeyError, TypeError):  # no probes, or those of an earlier version
        style, independent = (result["codes"][name]["means"]["test"] for name in ("style", INDEPENDENT_STYLE))
        if result["model"]["fingerprint"] == run.vae.fingerprint() and style <= independent:
            return None
    return flow if isinstance(flow, ConditionalFlow) else None

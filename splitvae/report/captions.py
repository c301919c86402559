"""The captions of the figures on a report's page, in the order of the page, and other descriptions on it.

A caption may contain `$rows` and `$gray`, which depend on the number of components, and `$terms`, which depends on the
objective; single_run.py fills them in.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["CURVE_NOTES", "FIGURES", "SPLIT_DESCRIPTIONS", "FigureCaption"]


class FigureCaption(NamedTuple):
    """The title and the caption of a figure.

    title: The title.
    text: The caption.
    runs: Which runs have the figure: "all"; "split" for those of split models; or "some", for a figure that a page shows if
        the run's folder has it.
    """

    title: str
    text: str
    runs: Literal["all", "split", "some"] = "all"


FIGURES = {
    "components": FigureCaption(
        "The components of samples",
        "Each column is one sample from the prior. $rows",
        "split",
    ),
    "samples": FigureCaption(
        "Samples from the prior",
        "Decoded from z ~ N(0, I), without any selection.",
    ),
    "samples-flow": FigureCaption(
        "Samples from a normalizing flow",
        "Decoded from samples of a normalizing flow that was fitted to the codes of the training images.",
        "some",
    ),
    "samples-conditional-flow": FigureCaption(
        "Samples from flows of contents and styles",
        "Decoded from samples of two normalizing flows that were fitted to the codes of the training images: one of "
        "contents, and one of styles given the content.",
        "some",
    ),
    "samples-gmm": FigureCaption(
        "Samples from a Gaussian mixture",
        "Decoded from samples of a mixture of Gaussians that was fitted to the codes of the training images. They show "
        "what the decoder can do if the distribution of the codes is known and need not be N(0, I).",
        "some",
    ),
    "samples-second-stage": FigureCaption(
        "Samples from a second stage",
        "Decoded from samples of a second VAE that was trained on the codes of the training images.",
        "some",
    ),
    "maps": FigureCaption(
        "Maps",
        "The maps of these samples, $gray. In a syntactic split they alternate from pixel to pixel; in a semantic one "
        "they follow the contours of objects.",
        "split",
    ),
    "components-reconstructed": FigureCaption(
        "The components of reconstructions",
        "The same for test images, x, in the first row. Where the map is gray, both components contribute.",
        "split",
    ),
    "reconstructions": FigureCaption(
        "Reconstructions",
        "Pairs of rows: test images x, and below them the images x̂ decoded from their posterior means. Look for lost "
        "detail.",
    ),
    "interpolations": FigureCaption(
        "Interpolations",
        "Each row leads from the code of one test image to that of another in equal steps. The images between should be "
        "as plausible as those at both ends.",
    ),
    "traversals": FigureCaption(
        "Traversals of the most used latents",
        "In each row one latent moves from −3 to 3, in deviations of the prior, and the others keep the values of one "
        "test image. The number is the latent's KL, the amount of information that it carries.",
    ),
    "curves": FigureCaption(
        "Training",
        "If the validation loss rises while the training loss falls, the model overfits. $terms",
    ),
    "latents": FigureCaption(
        "Latents",
        "Above: the KL of each latent, largest first. Below: the variance of its posterior mean over images, and the mean "
        "of its posterior variance. Their sum is 1 at an optimum. A latent is inactive if its blue point lies below the "
        "blue line, or its orange point above the orange line.",
    ),
    "swaps": FigureCaption(
        "Content and style, swapped",
        "Columns have the content of the image above them, rows the style of the image to their left. What defines the "
        "groups should be constant along each column, and everything else along each row. The diagonal shows "
        "reconstructions.",
        "some",
    ),
    "swaps-independent": FigureCaption(
        "Content and independent style, swapped",
        "The same, but rows share what in the style is independent of the content, by a flow of styles given the content "
        "that was fitted to the codes of training images. Above and to the left are reconstructions, so that no cell is an "
        "image of the data.",
        "some",
    ),
    "swaps-evidence": FigureCaption(
        "Content with evidence and style, swapped",
        "The same, but the content of a column is fused from all images of the group in a batch of 256 test images. The "
        "group labels are given here, so that good columns show that the decoder follows the content, but not that the "
        "encoder recognises it.",
        "some",
    ),
    "style-interpolations": FigureCaption(
        "Between two styles",
        "Each row keeps the content of its first image, while the style moves to that of the next row in equal steps.",
        "some",
    ),
    "content-interpolations": FigureCaption(
        "Between two contents",
        "Each row keeps the style of its first image, while the content moves to that of the next row in equal steps.",
        "some",
    ),
    "probes": FigureCaption(
        "What classifiers can read from the codes",
        "The accuracy of classifiers of the content on test images, against the number of images of a group whose "
        "evidence was fused. Since labels decide which images are fused, the codes of many images reveal the label even "
        "if the encoder was not trained. What was learned is shown by the accuracy with one image, and by the distance "
        "between the trained and the untrained network. Shaded: one standard error. Above the chart stands which "
        "probes had too few iterations or images to be judged by.",
        "some",
    ),
    "code-maps": FigureCaption(
        "Maps of the codes",
        "Principal components and t-SNE of the posterior means of single test images, coloured by group. Evidence of "
        "other images is not used: with it, all points of a group would be nearly the same vector and form a separate "
        "cluster, whatever was learned.",
        "some",
    ),
    "plane": FigureCaption(
        "The plane through three test images",
        "Decoded from codes on the plane through the codes of three test images, which are in the upper left, the lower "
        "left and the upper right corner. These are images between images, not samples from the prior.",
        "some",
    ),
    "deviations": FigureCaption(
        "The most used latent, with the others shifted",
        "From left to right the latent with the largest KL moves from the largest to the smallest value of its posterior "
        "mean on test images. In the first row all other latents are 0. In the next rows they are shifted by one and by "
        "two deviations of their posteriors, averaged over images.",
        "some",
    ),
    "distances": FigureCaption(
        "Distance of samples during training",
        "The Fréchet distance of samples from training images, of the blend and of each component alone, in the features "
        "of a classifier of these images. Compare the lines with each other, not with Inception distances.",
        "some",
    ),
    "film.gif": FigureCaption(
        "The training as an animation",
        "Decoded after the epoch below each picture, always from the same z ~ N(0, I). The last picture is shown longer.",
        "some",
    ),
}

CURVE_NOTES = {  # whether training is introspective -> $terms, the note on the training curves
    False: "If the variance v is computed from the errors, it falls with the MSE, and the weight βv of the KL with it.",
    True: "The KLs of reconstructions and samples are the encoder's judgement of them: training is healthy while they lie "
    "above the KL of images, and has failed if they lie far below it.",
}

SPLIT_DESCRIPTIONS = {  # the split types of evaluation.json
    "syntactic": "neighbouring pixels come from different components, so that each component leaves gaps for the others",
    "semantic": "components meet at the contours of objects",
    "mixed": "components neither alternate from pixel to pixel nor meet at contours",
}

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
        "What a sample is blended of",
        "Each column is one sample from the prior. $rows",
        "split",
    ),
    "samples": FigureCaption(
        "Samples from the prior",
        "Decoded from z ~ N(0, I); none is chosen or left out.",
    ),
    "samples-flow": FigureCaption(
        "Samples from a normalizing flow",
        "Decoded from codes of a flow that was fitted to the codes of the training images.",
        "some",
    ),
    "samples-gmm": FigureCaption(
        "Samples from a Gaussian mixture",
        "Decoded from a mixture of Gaussians fitted to the codes of the training images: how the model would sample if its "
        "codes were known instead of being normal.",
        "some",
    ),
    "samples-second-stage": FigureCaption(
        "Samples from a second stage",
        "Decoded from codes that a second VAE generated, which was trained on the codes of the training images.",
        "some",
    ),
    "maps": FigureCaption(
        "Maps",
        "The maps of these samples, $gray. A pattern that alternates from pixel to pixel is a syntactic split; contours "
        "of what is depicted are a semantic one.",
        "split",
    ),
    "components-reconstructed": FigureCaption(
        "What a reconstruction is blended of",
        "The same for test images, x, which come first. Where the map is gray both components take part.",
        "split",
    ),
    "reconstructions": FigureCaption(
        "Reconstructions",
        "Pairs of rows: test images x, and below each x̂, decoded from its posterior mean. Look for lost detail.",
    ),
    "interpolations": FigureCaption(
        "Interpolations",
        "Each row leads from the code of one test image to that of another in equal steps. The images on the way should "
        "be as plausible as its ends.",
    ),
    "traversals": FigureCaption(
        "Traversals of the most used latents",
        "In each row one latent moves from −3 to 3, in deviations of the prior, and the others stay as one test image "
        "has them. The number is the latent's KL: how much it carries.",
    ),
    "curves": FigureCaption(
        "Training",
        "Validation that rises while training falls is overfitting. $terms",
    ),
    "latents": FigureCaption(
        "Latents",
        "Left: the KL of each, largest first. Right: the variance of its posterior mean over images, and the mean of its "
        "posterior variance. Their sum is 1 at an optimum. A latent is inactive where its blue point lies below the blue "
        "line, or its orange one above the orange line.",
    ),
    "swaps": FigureCaption(
        "Content and style, swapped",
        "A column has the content of the image above it, a row the style of the image to its left: what the groups are "
        "named by should stay the same down a column, everything else along a row. The diagonal is reconstructions.",
        "some",
    ),
    "swaps-evidence": FigureCaption(
        "Content with evidence and style, swapped",
        "The same, with the content of all images of the group in a batch of 256 test images, fused. Group labels are used "
        "here: good columns show that the decoder follows the content, not that the encoder recognises it.",
        "some",
    ),
    "style-interpolations": FigureCaption(
        "Between two styles",
        "Each row keeps the content of its first image, and its style moves to that of the next row's in equal steps.",
        "some",
    ),
    "content-interpolations": FigureCaption(
        "Between two contents",
        "Each row keeps the style of its first image, and its content moves to that of the next row's in equal steps.",
        "some",
    ),
    "probes": FigureCaption(
        "What classifiers read from the codes",
        "Accuracy of classifiers of the content on test images, against the number of images of a group whose evidence "
        "was fused. Labels choose who is fused with whom, and with many members even an untrained encoder betrays them: "
        "what was learned is the accuracy with one member, and the distance between colours. Shaded: one standard error.",
        "some",
    ),
    "code-maps": FigureCaption(
        "Maps of the codes",
        "Principal components and t-SNE of posterior means of single test images, coloured by group. With evidence all "
        "points of a group would be nearly the same vector and fall apart into clusters whatever was learned.",
        "some",
    ),
    "plane": FigureCaption(
        "The plane through three test images",
        "Codes on the plane through those of three test images, which stand in the upper left corner, the lower left and "
        "the upper right: what lies between images, not samples from the prior.",
        "some",
    ),
    "deviations": FigureCaption(
        "The most used latent, and the others moved",
        "From left to right the latent with the largest KL moves from the largest value that its posterior mean takes on "
        "test images to the smallest. In the first row all other latents are 0; in the next ones they are moved by one "
        "and two deviations of their posteriors, averaged over images.",
        "some",
    ),
    "distances": FigureCaption(
        "Distance of samples during training",
        "The Fréchet distance of samples from training images, of the blend and of each component alone, in features of a "
        "classifier of these images: compare the lines with each other, not with Inception distances.",
        "some",
    ),
    "film.gif": FigureCaption(
        "The training as a film",
        "Decoded after the epoch below each picture, from the same z ~ N(0, I) each time. The last picture is held.",
        "some",
    ),
}


CURVE_NOTES = {  # whether training is introspective -> $terms, the note on the training curves
    False: "A variance v that is computed follows the MSE down and takes the weight βv of the KL with it.",
    True: "Of what is painted the KL is the encoder's verdict: it is healthy above that of images, and dies far below.",
}


SPLIT_DESCRIPTIONS = {  # the split types of evaluation.json
    "syntactic": "neighbouring pixels come from different components, so that each leaves gaps for the others",
    "semantic": "components meet at the contours of what is depicted",
    "mixed": "components neither alternate from pixel to pixel nor meet at contours",
}

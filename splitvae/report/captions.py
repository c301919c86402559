"""What a report looks like, and what it says about its figures: the HTML page with its styles, and the captions.

`PAGE` takes a title, a body and a footer. It has a light and a dark face, prints, and asks for no other file. `$rows`
and `$gray` in a caption stand for what depends on the number of components; report.py fills them in.
"""

from __future__ import annotations

__all__ = ["FIGURES", "LATER", "SOMETIMES", "SPLIT_ONLY", "TERMS", "VERDICTS"]


TERMS = {  # of the curves: whether training is introspective, and what to look for
    False: "A variance v that is computed follows the MSE down and takes the weight βv of the KL with it.",
    True: "Of what is painted the KL is the encoder's verdict: it is healthy above that of images, and dies far below.",
}


FIGURES = {  # name: title and caption, in the order of the page
    "components": ("What a sample is blended of", "Each column is one sample from the prior. $rows"),
    "samples": ("Samples from the prior", "Decoded from z ~ N(0, I); none is chosen or left out."),
    "maps": (
        "Maps",
        "The maps of these samples, $gray. A pattern that alternates from pixel to pixel is a syntactic split; contours "
        "of what is depicted are a semantic one.",
    ),
    "components-reconstructed": (
        "What a reconstruction is blended of",
        "The same for test images, x, which come first. Where the map is gray both components take part.",
    ),
    "reconstructions": (
        "Reconstructions",
        "Pairs of rows: test images x, and below each x̂, decoded from its posterior mean. Look for lost detail.",
    ),
    "interpolations": (
        "Interpolations",
        "Each row leads from the code of one test image to that of another in equal steps. The images on the way should "
        "be as plausible as its ends.",
    ),
    "traversals": (
        "Traversals of the most used latents",
        "In each row one latent moves from −3 to 3, in deviations of the prior, and the others stay as one test image "
        "has them. The number is the latent's KL: how much it carries.",
    ),
    "curves": (
        "Training",
        "Validation that rises while training falls is overfitting. $terms",
    ),
    "latents": (
        "Latents",
        "Left: the KL of each, largest first. Right: the variance of its posterior mean over images, and the mean of its "
        "posterior variance. Their sum is 1 at an optimum. A latent is inactive where its blue point lies below the blue "
        "line, or its orange one above the orange line.",
    ),
}


SOMETIMES = {  # likewise, where they were drawn
    "samples-gmm": (
        "Samples from a Gaussian mixture",
        "Decoded from a mixture of Gaussians fitted to the codes of the training images: how the model would sample if its "
        "codes were known instead of being normal.",
    ),
    "samples-second-stage": (
        "Samples from a second stage",
        "Decoded from codes that a second VAE generated, which was trained on the codes of the training images.",
    ),
    "samples-flow": (
        "Samples from a normalizing flow",
        "Decoded from codes of a flow that was fitted to the codes of the training images.",
    ),
    "distances": (
        "Distance of samples during training",
        "The Fréchet distance of samples from training images, of the blend and of each component alone, in features of a "
        "classifier of these images: compare the lines with each other, not with Inception distances.",
    ),
}


OF_GROUPS = {
    "swaps": (
        "Content and style, swapped",
        "A column has the content of the image above it, a row the style of the image to its left: what the groups are "
        "named by should stay the same down a column, everything else along a row. The diagonal is reconstructions.",
    ),
    "swaps-evidence": (
        "Content with evidence and style, swapped",
        "The same, with the content of all images of the group in a batch of 256 test images, fused. Group labels are used "
        "here: good columns show that the decoder follows the content, not that the encoder recognises it.",
    ),
    "style-interpolations": (
        "Between two styles",
        "Each row keeps the content of its first image, and its style moves to that of the next row's in equal steps.",
    ),
    "content-interpolations": (
        "Between two contents",
        "Each row keeps the style of its first image, and its content moves to that of the next row's in equal steps.",
    ),
    "probes": (
        "What classifiers read from the codes",
        "Accuracy of classifiers of the content on test images, against the number of images of a group whose evidence "
        "was fused. Labels choose who is fused with whom, and with many members even an untrained encoder betrays them: "
        "what was learned is the accuracy with one member, and the distance between colours. Shaded: one standard error.",
    ),
    "code-maps": (
        "Maps of the codes",
        "Principal components and t-SNE of posterior means of single test images, coloured by group. With evidence all "
        "points of a group would be nearly the same vector and fall apart into clusters whatever was learned.",
    ),
}


OF_INTROSPECTION = {
    "plane": (
        "The plane through three test images",
        "Codes on the plane through those of three test images, which stand in the upper left corner, the lower left and "
        "the upper right: what lies between images, not samples from the prior.",
    ),
    "deviations": (
        "The most used latent, and the others moved",
        "From left to right the latent with the largest KL moves from the largest value that its posterior mean takes on "
        "test images to the smallest. In the first row all other latents are 0; in the next ones they are moved by one "
        "and two deviations of their posteriors, averaged over images.",
    ),
}


FILM = {
    "film.gif": (
        "The training as a film",
        "Decoded after the epoch below each picture, from the same z ~ N(0, I) each time. The last picture is held.",
    ),
}


LATER = [*OF_GROUPS, *OF_INTROSPECTION, "distances", *FILM]  # of SOMETIMES, without samples, in the order of the page


SOMETIMES |= OF_GROUPS | OF_INTROSPECTION | FILM


SPLIT_ONLY = {"components", "maps", "components-reconstructed"}


VERDICTS = {
    "syntactic": "neighbouring pixels come from different components, so that each leaves gaps for the others",
    "semantic": "components meet at the contours of what is depicted",
    "mixed": "components neither alternate from pixel to pixel nor meet at contours",
}

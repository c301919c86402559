"""What a report looks like, and what it says about its figures: the HTML page with its styles, and the captions.

`PAGE` takes a title, a body and a footer. It has a light and a dark face, prints, and asks for no other file. `$rows`
and `$gray` in a caption stand for what depends on the number of components; report.py fills them in.
"""

from __future__ import annotations

from string import Template

__all__ = ["FIGURES", "LATER", "PAGE", "SOMETIMES", "SPLIT_ONLY", "TERMS", "VERDICTS"]

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #5d6670; --page: #f6f7f8; --card: #fff; --line: #dfe3e7;
  --mark: #fff3cf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --soft: #9aa4ae; --page: #15181b; --card: #1e2226;
  --line: #343a41; --mark: #4a3d14; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1150px; margin: 0 auto; padding: 40px 20px 60px; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 12px; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 52px 0 14px; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 0 0 12px; max-width: 75ch; }
.lead { font-size: 1.1rem; }
.note, figcaption p, small, footer { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; margin: 26px 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile small { display: block; line-height: 1.35; }
figure { margin: 0 0 30px; }
figcaption { margin-bottom: 10px; }
figcaption p { margin: 2px 0 0; }
.white { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 16px; }
.white img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 16px; }
.wide { overflow-x: auto; }
.card + figure { margin-top: 44px; }
.one th { width: 58%; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 14px 6px 8px; border-bottom: 1px solid var(--line); }
th { font-weight: 500; }
thead th { font-weight: 600; overflow-wrap: break-word; }
.card + .note { margin-top: 10px; }
tr:last-child > * { border-bottom: 0; }
.differs, .differs > * { background: var(--mark); }
code, pre, .settings { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .9rem; }
.settings { columns: 340px; column-gap: 40px; font-size: .85rem; }
.settings div { display: flex; justify-content: space-between; gap: 16px; padding: 3px 6px; break-inside: avoid; }
.settings span:last-child { text-align: right; overflow-wrap: anywhere; }
footer { margin-top: 52px; font-size: .85rem; }
@media (min-resolution: 2dppx) { .white img { image-rendering: pixelated; } }
@media print { body { background: #fff; font-size: 11pt; } main { padding: 0; max-width: none; }
  h2 { break-after: avoid; } figure, .tile, tr { break-inside: avoid; } }
</style>
</head>
<body><main>
$body
<footer>$footer</footer>
</main></body>
</html>
""")

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

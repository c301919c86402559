"""The model card: what a model is, how it was made, and what was measured, as the README.md of a repository of the hub.

It is written from the run alone, so that it says only what the run knows: numbers come with their deviations, and distances
with their images, features, protocol and sampler. No path of this machine stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import Config
from ..errors import UserError, messages_for_shell, nearest, setting
from ..evaluation.cautions import find_cautions
from ..evaluation.scores import BANKS
from ..evaluation.tables import describe_score, format_value, score_rows, table_rows
from ..models.vae import VAE
from ..presets.references import find_references
from ..report.sections import train_command
from ..runs import Run
from ..utils.machine import describe_versions

__all__ = ["CARD_MARK", "LICENCES", "check_licence", "write_card"]

CARD_MARK = "library_name: splitvae"  # a line of every card

LICENCES = (  # the identifiers of the hub that models have most often
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "unlicense"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "openrail", "other"),
)
TAGS = ("variational-autoencoder", "split-vae", "image-generation")


def check_licence(licence: str) -> str:
    """Returns the licence; raises UserError where none was given, or one that the hub does not know."""
    example = setting("licence", "cc-by-4.0")
    if not licence:
        raise UserError(
            f"say under which licence others may use the model, such as {example}: it is yours to choose, within what the "
            "licence of the images allows, and nothing is assumed. 'other' is for terms that you write into the card."
        )
    if licence not in LICENCES:
        raise UserError(f"the licence {licence!r} is unknown; {nearest(licence, LICENCES)}")
    return licence


@messages_for_shell(False)
def write_card(vae: VAE, name: str, licence: str, run: Run | None = None, pictures: Sequence[str] = ()) -> str:
    """Returns the text of a model card.

    Arguments:
        vae: The model.
        name: The name of the repository, "owner/name", or of a folder.
        licence: The licence, one of `LICENCES`.
        run: The run that trained the model; None for a model of which nothing else is known.
        pictures: The names of the pictures of generated images that lie beside the card.

    Raises:
        UserError: For no licence, or an unknown one.
    """
    config = Config(model=vae.settings) if run is None else run.config
    evaluation = {} if run is None else run.evaluation
    is_of_this_model = evaluation.get("model", {}).get("fingerprint") == vae.fingerprint()
    parts = [_head(config, check_licence(licence)), f"# {name.split('/')[-1]}", _summary(vae, config), _pictures(pictures)]
    parts += ["## Use", _use(name, vae, config)]
    if run is not None:
        parts += ["## Training", _training(run, vae), "## Results"]
        parts += _results(evaluation) if is_of_this_model else [_unmeasured(bool(evaluation))]
        parts += ["## Command", f"```\n{train_command(config, f'runs/{run.name}')}\n```"]
        parts += ["## Settings", _settings(config)]
    parts += ["## Licence", f"{licence}. It covers the weights; the images of the training have a licence of their own."]
    scores = evaluation.get("scores", {}).values() if is_of_this_model else ()
    samplers = {score["sampler"]["name"] for score in scores}
    references = "\n\n".join(find_references(config, sorted(samplers), distances=bool(scores)).values())
    parts += ["## Citation", "The methods that this model uses:", f"```bibtex\n{references}\n```"]
    parts += [f"This card was written by {describe_versions()}."]
    text = "\n\n".join(part for part in parts if part) + "\n"
    return text if run is None else hide_folders(text, run)


def hide_folders(text: str, run: Run) -> str:
    """Returns a text without the folders of this machine in which the run and its images lie; their names remain."""
    source = run.config.data.source or ""
    paths = [run.path.resolve(), *([Path(source).expanduser()] if source.startswith(("/", "~")) else [])]
    folders = {str(path.parent) for path in paths} | {str(Path(source).parent) for source in [source] if source[:1] == "~"}
    for folder in sorted(folders - {"/", "."}, key=len, reverse=True):
        text = text.replace(f"{folder}/", "")
    return text


def _head(config: Config, licence: str) -> str:
    """Returns the part that the hub reads, in YAML."""
    lines = [f"license: {licence}", CARD_MARK, "pipeline_tag: unconditional-image-generation", "tags:"]
    lines += [f"- {tag}" for tag in TAGS]
    source = config.data.source or ""
    if source.startswith("hf://"):
        lines += ["datasets:", f"- {'/'.join(source.removeprefix('hf://').partition(':')[0].split('/')[:2])}"]
    return "\n".join(["---", *lines, "---"])


def _summary(vae: VAE, config: Config) -> str:
    """Returns one paragraph on what the model is."""
    channels, side, _ = vae.shape
    kind = (
        "A variational autoencoder" if vae.split == 1 else f"A Split-VAE, whose decoder blends {vae.split} images by maps"
    )
    source = f" of `{config.data.source}`" if config.data.source else ""
    preset = f", by the preset `{config.preset}`" if config.preset else ""
    trained = f" It was trained on images{source}{preset}." if source or preset else ""
    return (
        f"{kind}, for {'gray' if channels == 1 else 'colour'} images of {side} x {side} pixels: {vae.latent_dim} latent "
        f"variables, {vae.counts()['total']:,} parameters, network `{config.model.net.name}`, loss "
        f"`{config.objective.name}`.{trained} It was made with splitvae."
    )


def _pictures(names: Sequence[str]) -> str:
    """Returns the pictures with their captions; all show generated images alone."""
    captions = {"samples": "Samples from the prior", "components": "Samples: the map, the components, and their blend"}
    lines = []
    for name in names:
        stem = Path(name).stem
        caption = captions.get(stem, f"Samples from {stem.removeprefix('samples-')}, a density fitted to the codes")
        lines.append(f"![{caption}]({name})\n\n*{caption}.*")
    return "\n\n".join(lines)


def _use(name: str, vae: VAE, config: Config) -> str:
    """Returns the lines of Python that use the model."""
    pad = f", pad={config.data.pad}" if config.data.pad else ""
    return f"""```python
import splitvae

vae = splitvae.VAE.from_pretrained("{name}")
canvas = vae.sample(64)  # canvas.image (64, {", ".join(map(str, vae.shape))}), and its parts canvas.images, canvas.masks
x = splitvae.as_images(pictures, vae.shape{pad})  # images of Pillow, arrays, tensors
z = vae.encode(x).mean  # (N, {vae.latent_dim})
```"""


def _training(run: Run, vae: VAE) -> str:
    """Returns the facts about the images and the training as a table."""
    config, history = run.config, run.history
    data, training = config.data, config.training
    treatment = [
        f"{data.pad} pixels of padding" if data.pad else "",
        f"a centre square of {data.crop}" if data.crop else "",
    ]
    treatment += ["mirrored at random" if data.mirror else ""]
    rows = {
        "images": data.source or "images in memory",
        "SHA-256 of the training images": run.training_sha256,
        "preparation": ", ".join(filter(None, treatment)) or "resized where needed",
        "epochs": f"{len(history)} of {training.epochs}" if len(history) != training.epochs else str(training.epochs),
        "steps": f"{history[-1]['step']:,}" if history else "",
        "batch, learning rate, seed": f"{training.batch_size}, {training.lr:g}, {training.seed}",
        "time": f"{sum(row['seconds'] for row in history) / 60:,.1f} minutes" if history else "",
        "fingerprint of the weights": vae.fingerprint(),
        "version": f"splitvae {run.version}" if run.version else "",
    }
    return _table(["", ""], [[title, str(value)] for title, value in rows.items() if value])


def _results(evaluation: Mapping[str, Any]) -> list[str]:
    """Returns what was measured: the metrics of the model, its cautions, and a table for each protocol."""
    data = evaluation["data"]
    places = [place for titles in table_rows([evaluation]).values() for place in titles.items()]
    rows = [[title, format_value(evaluation, path)] for title, path in places]
    rows = [row for row in rows if row[1] not in ("not measured", "not applicable")]
    parts = [
        f"Measured on {data['images']:,} {data['part']} images of `{data['source']}` (SHA-256 {data['sha256']}), each "
        "number ± the deviation of the measurement.",
        _table(["metric", "value"], rows),
        *(f"**Caution.** {caution}" for caution in find_cautions(evaluation)),
    ]
    for score in evaluation.get("scores", {}).values():
        banks = [f"{bank}: {BANKS[bank]}" for bank in score["banks"]]
        notes = [note for note in (*score["notes"], score["extractor"]["note"]) if note]
        parts += [
            f"### Distances from test images, protocol {score['protocol']}",
            _table(["", *banks], [[title, *cells] for title, cells in score_rows(score)]),
            "; ".join([describe_score(score), *notes]) + ".",
        ]
    return parts


def _unmeasured(of_other_model: bool) -> str:
    """Returns the sentence that stands for the results where there are none of this model."""
    return "What was measured is of other weights, and is left out." if of_other_model else "Nothing was measured yet."


def _settings(config: Config) -> str:
    """Returns all settings by flat name as a table."""
    rows = [[f"`{name}`", f"`{value}`"] for name, value in config.options().items() if value not in (None, "")]
    return _table(["setting", "value"], rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    cells = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [headings, ["---"] * len(headings), *cells])

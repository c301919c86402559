"""Hooks of the documentation's site (mkdocs.yml): pages that are not files in docs.

README.md becomes the first page; CONTRIBUTING.md, CHANGELOG.md, results and benchmarks are pages and pictures; the presets
and the API are made of the library itself. Links point to files as they lie in the repository, and are rewritten to where
the site has them; a link to a file that the site does not have, such as source code, becomes its text.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "splitvae"
SHOWN = {".md", ".html", ".png", ".gif", ".svg", ".json", ".txt"}
FOLDERS = ("results", "benchmarks")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s]+)\)")
FIRST = (
    "load",
    "as_images",
    "train",
    "create",
    "open_run",
    "Run",
    "VAE",
    "Canvas",
    "resize",
)  # on the page of the library's own names
COLUMNS = ("preset", "images", "shape", "network", "width", "latent", "components", "loss", "sampler", "epochs")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the pages of the API to the navigation."""
    config.nav = [*(config.nav or []), {"API": [f"api/{name}.md" for name, _ in _api_pages()]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files of the repository that the site shows, and the pages that are made here."""
    paths = [ROOT / name for name in PAGES]
    for folder in FOLDERS:
        paths += [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SHOWN and not _is_hidden(path)]
    for path in paths:
        files.append(File.generated(config, _site_path(path.relative_to(ROOT).as_posix()), abs_src_path=str(path)))
    files.append(File.generated(config, "presets.md", content=_presets_page()))
    for name, text in _api_pages():
        files.append(File.generated(config, f"api/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites links to files of the repository to where the site has them; wide tables get the page's whole width."""
    here = page.file.src_uri
    if here == "index.md" or here.startswith("results/"):
        page.meta["hide"] = ["navigation", "toc"]
    if here.startswith("api/") or here == "presets.md":
        return markdown
    folder = posixpath.dirname(_repository_path(here))

    def rewrite(match: re.Match[str]) -> str:
        mark, text, target = match.groups()
        path, hash_sign, anchor = target.partition("#")
        found = _site_path(posixpath.normpath(posixpath.join(folder, path)))
        if files.get_file_from_path(found) is None:
            return text
        return f"{mark}[{text}]({posixpath.relpath(found, posixpath.dirname(here) or '.')}{hash_sign}{anchor})"

    return LINK.sub(rewrite, markdown)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(ROOT).parts)


def _site_path(path: str) -> str:
    """Returns where the site has a file of the repository."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def _repository_path(path: str) -> str:
    """Returns where the repository has a page of the site."""
    if path == "index.md":
        return "README.md"
    return path if path in PAGES or path.split("/")[0] in FOLDERS else f"docs/{path}"


def _presets_page() -> str:
    """Returns the page about all presets."""
    from splitvae.presets.registry import PRESETS

    rows = []
    for name, config in PRESETS.items():
        options, model = config.options(), config.model
        shape = " x ".join(map(str, model.shape or ()))
        sizes = (model.net.name, options.get("width", "-"), model.latent_dim, model.split)
        loss = (config.objective.name, options.get("sampler", "-"), config.training.epochs)
        rows.append((f"`{name}`", config.data.source, shape, *sizes, *loss))
    table = [f"| {' | '.join(map(str, row))} |" for row in (COLUMNS, ["---"] * len(COLUMNS), *rows)]
    texts = []
    for path in sorted((PACKAGE / "presets").glob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if "| preset" in docstring:
            texts += ["", *docstring.splitlines()]
    lines = [
        "# Presets",
        "",
        "`splitvae train NAME` trains a preset, and every option changes a setting of it; `splitvae train NAME --help`",
        "shows all of them with their values. Presets that end in -own have the network and the schedule of the system's",
        "own paper.",
        "",
        *table,
        *texts,
    ]
    return "\n".join(lines) + "\n"


def _api_pages() -> Iterator[tuple[str, str]]:
    """Yields the name and the text of the page of the library's own names, and of those of each package."""
    shown: set[str] = set()
    packages = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.pyi"))
    for package in ("", *packages):
        name = f"splitvae.{package}" if package else "splitvae"
        identifiers = [i for i in _public_identifiers(PACKAGE / package / "__init__.pyi", name) if i not in shown]
        shown.update(identifiers)
        identifiers.sort(key=lambda i: FIRST.index(i.split(".")[-1]) if i.split(".")[-1] in FIRST else len(FIRST))
        if identifiers:
            yield name, "\n\n".join([f"# {name}", *(f"::: {identifier}" for identifier in identifiers)]) + "\n"


def _public_identifiers(stub: Path, package: str) -> Iterator[str]:
    """Yields where each public name of a package is defined, as its stub says: `from .vae import VAE as VAE`."""
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{package}.{node.module}.{alias.name}"

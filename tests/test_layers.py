"""The order of the packages: who may import whom, as docs/architecture.md writes it down, and how files are named."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import splitvae

ROOT = Path(splitvae.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MAX_ARGUMENTS = 8


def order() -> list[list[str]]:
    """The rows of packages in docs/architecture.md, from the highest to the lowest."""
    text = (ROOT.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    return [line.split() for line in text.split("```order\n")[1].split("```")[0].splitlines()]


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(file: Path) -> Iterator[str]:
    """The modules of splitvae that a file imports, also within functions."""
    package = module_of(file).split(".")[: None if file.name == "__init__.py" else -1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}".strip(".")
                yield inner if (ROOT / Path(*inner.split("."))).with_suffix(".py").exists() else base


def test_every_package_stands_in_the_order_once() -> None:
    written = [name for row in order() for name in row]
    present = {file.relative_to(ROOT).parts[0].removesuffix(".py") for file in FILES} - {"__init__", "__main__"}
    assert sorted(written) == sorted(present)


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_file_imports_only_what_stands_below_it(file: Path) -> None:
    height = {name: i for i, row in enumerate(reversed(order())) for name in row}
    own = module_of(file).split(".")[0]
    if own not in height:  # the face and `python -m splitvae` stand above all
        return
    for module in imports_of(file):
        package = module.split(".")[0]
        assert package == own or height[package] < height[own], f"{module_of(file)} imports {module}"


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {module_of(file): set(imports_of(file)) for file in FILES}
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join([*path[path.index(module) :], module])}"
        if module not in finished:
            for other in sorted(graph.get(module, ())):
                if other != module:
                    visit(other, (*path, module))
            finished.add(module)

    for module in graph:
        visit(module, ())


def test_no_import_is_for_type_checkers_alone() -> None:
    assert [file.name for file in FILES if "TYPE_CHECKING" in file.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("package", sorted(p.parent.name for p in ROOT.glob("*/__init__.pyi")))
def test_a_package_gives_its_public_names_and_no_file_carries_one(package: str) -> None:
    face = importlib.import_module(f"splitvae.{package}")
    files = {file.stem for file in (ROOT / package).glob("*.py")}
    assert face.__all__
    assert not files & set(face.__all__)
    for name in face.__all__:
        assert getattr(face, name) is not None


def test_the_face_gives_every_name_it_promises() -> None:
    for name in splitvae.__all__:
        assert getattr(splitvae, name) is not None


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_no_function_takes_more_than_eight_arguments(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            arguments = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            count = len([name for name in arguments if name not in ("self", "cls")])
            assert count <= MAX_ARGUMENTS, f"{node.name} takes {count}"
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
            fields = [s for s in node.body if isinstance(s, ast.AnnAssign) and "ClassVar" not in ast.unparse(s.annotation)]
            public = not node.name.startswith("_")
            assert not public or len(fields) <= MAX_ARGUMENTS or "arg(" in ast.unparse(node) or node.name in COMMANDS, (
                node.name
            )


COMMANDS = {"Evaluate", "Categories", "Sample", "Probe", "Reproduce"}  # whose fields are options, not arguments of Python
COMMANDS |= {"Model"}  # `VAE` takes those that exceed eight by name

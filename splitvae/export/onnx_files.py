"""Models as ONNX files, checked against PyTorch before they are written."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..models.vae import VAE
from ..utils.files import atomic_write
from .modules import DecoderModule, EncoderModule, check_suffix, describe_failure, quiet, trace

__all__ = ["OPSET", "TOLERANCE", "check_installed", "encoder_path", "export_onnx", "to_onnx"]

OPSET = 18  # of ONNX, which all runtimes since 2023 read
TOLERANCE = 1e-4  # of an output, beside PyTorch's; relative where it is larger than 1
CHECKED_ROWS = (1, 7)  # numbers of rows at which outputs are compared, other than the one that was traced
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_installed() -> None:
    """Raises UserError with what to type if a package of the extra `export` is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"an export to ONNX needs packages that are not installed, {', '.join(missing)}; in a clone of the repository "
            "type `pip install -c constraints.txt -e '.[export]'`."
        )


def encoder_path(path: Path) -> Path:
    """Returns the path of the encoder beside that of the decoder: "m.onnx" -> "m-encoder.onnx"."""
    return path.with_name(f"{path.stem}-encoder{path.suffix}")


def export_onnx(vae: VAE, path: Path) -> list[str]:
    """Writes the decoder to a file, and the encoder beside it, each with a dynamic number of rows.

    Arguments:
        vae: The model; its inputs and outputs are those of export/modules.py.
        path: The file of the decoder, whose suffix is .onnx.

    Returns:
        A line about each file, with the largest difference to PyTorch; or about why there is no encoder.

    Raises:
        UserError: If packages are missing, or if the decoder cannot be exported or computes something else.
    """
    check_installed()
    check_suffix(path, ".onnx")
    lines = [_write(DecoderModule(vae), path)]
    try:
        lines += [_write(EncoderModule(vae), encoder_path(path))]
    except UserError as error:
        lines += [f"No encoder was written: {error}"]
    return lines


def _write(module: DecoderModule | EncoderModule, path: Path) -> str:
    """Writes a module to a file and returns a line about it."""
    content, difference = to_onnx(module)
    with atomic_write(path) as draft:
        draft.write_bytes(content)
    flow = f"{', '.join(module.inputs)} -> {', '.join(module.outputs)}"
    return f"{path}: {flow}; {len(content) / 1e6:.1f} MB; at most {difference:.1e} from PyTorch"


def to_onnx(module: DecoderModule | EncoderModule) -> tuple[bytes, float]:
    """Returns a module as the content of an ONNX file, and its largest difference to PyTorch.

    Raises:
        UserError: If the module cannot be exported, or if an output differs by more than `TOLERANCE`.
    """
    program = trace(module)
    try:
        with quiet():
            exported: Any = torch.onnx.export(
                program,
                (),
                input_names=list(module.inputs),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
                external_data=False,
            )
            _name_outputs(exported.model.graph, module)
            content: bytes = exported.model_proto.SerializeToString()
        return content, _largest_difference(module, content)
    except UserError:
        raise
    except Exception as error:  # the exporter and onnxruntime raise many kinds
        raise UserError(describe_failure(module, error)) from None


def _name_outputs(graph: Any, module: DecoderModule | EncoderModule) -> None:
    """Names the outputs of a graph; the exporter may have given such a name, as "mean", to a value within the graph."""
    for node in graph.all_nodes():
        for value in node.outputs:
            if value.name in (*module.inputs, *module.outputs):
                value.name += "_within"
    for value, name in zip(graph.outputs, module.outputs, strict=True):
        value.name = name


@torch.no_grad()
def _largest_difference(module: DecoderModule | EncoderModule, content: bytes) -> float:
    """Returns the largest difference between outputs of onnxruntime and of PyTorch; UserError if it is too large."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for rows in CHECKED_ROWS:
        example = module.example(rows, seed=rows)
        computed = session.run(None, {module.inputs[0]: example.numpy()})
        for name, own, expected in zip(module.outputs, computed, module(example), strict=True):
            difference = (torch.from_numpy(own) - expected).abs() / expected.abs().clamp_min(1)
            worst = float(difference.max()) if bool(difference.isfinite().all()) else float("inf")
            largest = max(largest, worst)
            if not worst <= TOLERANCE:
                raise UserError(
                    f"{module.title} computes another {name} in onnxruntime than in PyTorch (a difference of {worst:.1e}, "
                    f"where {TOLERANCE:.0e} is allowed), so that nothing was written; please report this with the run's "
                    "config.json."
                )
    return largest

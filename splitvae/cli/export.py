"""The command `export`: a run's model as ONNX, as a file of torch.export, or as a page for a static host."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ..errors import UserError
from .options import RunFolder, show_default

__all__ = ["Export"]


@dataclass
class Export:
    """Export the model of a run: as ONNX, for torch.export, or as a page that runs it in the browser.

    Give at least one of --onnx, --torch-export and --web. ONNX files and pages need the extra `export`:
    in a clone of the repository, pip install -e '.[export]'.
    """

    run: RunFolder
    onnx: Annotated[Path | None, arg(metavar="FILE"), show_default("not written")] = None
    """File of the decoder (.onnx), z -> image, images, masks; beside it that of the encoder, image -> mean, logvar."""
    torch_export: Annotated[Path | None, arg(metavar="FILE"), show_default("not written")] = None
    """File of the decoder (.pt2), which torch.export.load reads without splitvae."""
    web: Annotated[Path | None, arg(metavar="FOLDER"), show_default("not written")] = None
    """Folder of a page with sliders and images for any static host; 14 MB of it, onnxruntime-web, are fetched once."""

    def __call__(self) -> None:
        if self.onnx is None and self.torch_export is None and self.web is None:
            raise UserError(
                f"say what to write, such as `splitvae export {self.run} --onnx model.onnx`, `--torch-export model.pt2` "
                "or `--web FOLDER`."
            )
        from ..export.modules import check_suffix
        from ..export.onnx_files import check_installed, export_onnx
        from ..export.torch_files import export_torch
        from ..export.web_page import check_folder, export_web
        from ..runs import open_run

        run = open_run(self.run)
        if self.onnx is not None or self.web is not None:
            check_installed()
        if self.onnx is not None:
            check_suffix(self.onnx, ".onnx")
        if self.torch_export is not None:
            check_suffix(self.torch_export, ".pt2")
        if self.web is not None:
            check_folder(self.web)
        if self.onnx is not None:
            print("\n".join(export_onnx(run.vae, self.onnx)), flush=True)
        if self.torch_export is not None:
            print(export_torch(run.vae, self.torch_export), flush=True)
        if self.web is not None:
            print(export_web(run, self.web), flush=True)

from .modules import DecoderModule as DecoderModule
from .modules import EncoderModule as EncoderModule
from .onnx_files import export_onnx as export_onnx
from .torch_files import export_torch as export_torch
from .web_page import export_web as export_web

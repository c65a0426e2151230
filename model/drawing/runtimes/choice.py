"""The runtime of each device."""

from importlib.util import find_spec

from model.device import THREADS
from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.runtime import Runtime
from model.drawing.runtimes.torch_runtime import TorchRuntime
from model.flow.cinn import Cinn

__all__ = ["choose_runtime"]


def choose_runtime(cinn: Cinn, device: str, cache: GraphCache | None = None) -> Runtime:
    """Return OpenVINO's on a CPU where it is installed, else torch's. cache: where compiled graphs are kept."""
    if device == "cpu" and find_spec("openvino") is not None:
        from model.drawing.runtimes.openvino_runtime import OpenvinoRuntime  # late: it imports OpenVINO

        return OpenvinoRuntime(cinn, THREADS, cache=cache)
    return TorchRuntime(cinn)

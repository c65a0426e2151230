"""The runtime of each device."""

from importlib.util import find_spec

from model.drawing.runtimes.graph_cache import GraphCache
from model.drawing.runtimes.runtime import Runtime
from model.errors import TORCH_MISSING, InputError
from model.flow.checkpoint import Checkpoint

__all__ = ["choose_runtime"]


def choose_runtime(checkpoint: Checkpoint, device: str, cache: GraphCache | None = None) -> Runtime:
    """Return OpenVINO's runtime on a CPU if installed, else torch's. cache: store of compiled graphs.

    Raises InputError if neither is installed.
    """
    if device == "cpu" and find_spec("openvino") is not None:
        from model.drawing.runtimes.openvino_runtime import OpenvinoRuntime  # late: it imports OpenVINO

        return OpenvinoRuntime(checkpoint, cache=cache)
    if find_spec("torch") is None:
        raise InputError(
            "device", f"one with a runtime; {TORCH_MISSING}", f"{device} without OpenVINO and without torch"
        )
    from model.drawing.runtimes.torch_runtime import TorchRuntime  # late: it imports torch

    return TorchRuntime(checkpoint.cinn, device)

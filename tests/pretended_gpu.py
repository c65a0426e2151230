"""A simulated GPU: tensors lie in the CPU's memory, but report the GPU as their device, and fail as if they were there.

It finds tensors left on the CPU, numpy conversion of the GPU's tensors, and generators of the CPU. It does not find
operations that a GPU's kernels lack or compute differently.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from model.drawing.runtimes.torch_runtime import TorchRuntime

__all__ = ["PretendedGpu", "pretended_gpu"]

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
DEVICE, IS_CUDA = Tensor.device.__get__, Tensor.is_cuda.__get__  # type: ignore[attr-defined]
TAKES_ANY = ("copy_", "__set__", "_has_compatible_shallow_copy_type")
"""Names of what takes contents from any device."""
MARK = "lies_on_the_pretended_gpu"
"""Name of an attribute of storages."""
INDEXED = ("__getitem__", "__setitem__")
"""Names of what takes indices, or a value, from the CPU."""


class PretendedGpu(TorchFunctionMode):
    """Record of memory on the simulated GPU. Raises RuntimeError for an operation on tensors of two devices."""

    def place(self, tensor: Tensor) -> torch.device:
        """Return the simulated device of a tensor."""
        return GPU if hasattr(tensor.untyped_storage(), MARK) else CPU

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function == DEVICE:
            return self.place(args[0])
        if function == IS_CUDA:
            return self.place(args[0]) == GPU
        kwargs, name = kwargs or {}, getattr(function, "__name__", "")
        if name == "_parse_to":
            return function(*args, **kwargs)
        tensors = _tensors((*args, *kwargs.values()))
        places = [self.place(each) for each in tensors]
        on_gpu = GPU in places
        asked = self._asked(name, args, kwargs)
        takes_two = asked is not None or name in TAKES_ANY or (on_gpu and name in INDEXED and places[0] == GPU)
        # numbers may lie on the CPU
        if on_gpu and not takes_two and any(p == CPU and t.dim() for p, t in zip(places, tensors, strict=True)):
            raise RuntimeError(f"{name}: tensors on two devices")
        if on_gpu and name in ("numpy", "__array__"):
            raise TypeError("a GPU's tensor has no array")
        place = asked or (GPU if on_gpu else CPU)
        if place == GPU and kwargs.get("generator") is not None:
            raise RuntimeError(f"{name}: a generator of the CPU, for a tensor on a GPU")
        result = function(*map(_here, args), **{key: _here(value) for key, value in kwargs.items()})
        if asked is not None and tensors and asked != places[0]:
            result = result.clone()  # a moved tensor shares no memory
        if place == GPU and name not in TAKES_ANY:
            for each in _tensors((result,)):
                setattr(each.untyped_storage(), MARK, True)
        return result

    def _asked(self, name: str, args: Any, kwargs: dict[str, Any]) -> torch.device | None:
        """Return the device in a call's arguments, if any."""
        if name == "cpu":
            return CPU
        named = kwargs.get("device", args[1] if name == "to" and len(args) > 1 else None)
        if isinstance(named, Tensor):
            return self.place(named)
        if not isinstance(named, str | torch.device):
            return None
        return GPU if torch.device(named).type == "cuda" else CPU


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    """Find tensors within tuples, lists and dictionaries, faster than torch's pytree does."""
    found = []
    for each in values:
        if isinstance(each, Tensor):
            found.append(each)
        elif isinstance(each, tuple | list):
            found += _tensors(each)
        elif isinstance(each, dict):
            found += _tensors(each.values())
    return found


def _here(value: Any) -> Any:
    """Replace the GPU's name, which torch would refuse."""
    return CPU if isinstance(value, str | torch.device) and str(value).startswith("cuda") else value


@contextmanager
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Simulate a GPU for this thread and for threads that run the network."""
    gpu, begin = PretendedGpu(), TorchRuntime.begin_thread

    def begin_thread(runtime: TorchRuntime) -> None:
        begin(runtime)
        gpu.__enter__()  # until the thread ends

    monkeypatch.setattr(TorchRuntime, "begin_thread", begin_thread)
    monkeypatch.setattr("model.device._has_cuda", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with gpu:
        yield

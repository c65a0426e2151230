"""Errors of the model; the service maps them to HTTP statuses in one table."""

__all__ = ["CheckpointError", "InputError", "ModelError", "NonFiniteError", "OutOfMemoryError"]

TORCH_MISSING = "torch is not installed: pip install 'tintflow[gpu]'"


class ModelError(Exception):
    """Base of every error that `model` raises."""


class InputError(ModelError, ValueError):
    """An argument is out of its documented shape or range."""

    def __init__(self, name: str, expected: str, got: object) -> None:
        self.reason = f"expected {expected}, got {got}"
        super().__init__(f"{name}: {self.reason}")
        self.name, self.expected, self.got = name, expected, got

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, str, object]]:  # to travel between processes
        return type(self), (self.name, self.expected, self.got)


class CheckpointError(ModelError):
    """Weights are missing, damaged, or of another architecture."""


class NonFiniteError(ModelError):
    """The network produced a value that is not a finite number."""


class OutOfMemoryError(ModelError):
    """The device has no memory left for the pass; a smaller or later pass may succeed."""

"""Exit statuses of the command line."""

__all__ = ["FAILED", "INTERRUPTED", "MISUSED"]

FAILED, MISUSED, INTERRUPTED = 1, 2, 130

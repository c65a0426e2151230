"""The commands of `tintflow`."""

from service.cli.program import app

__all__ = ["app"]

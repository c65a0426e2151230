"""The HTTP service, its client and its command line."""

__version__ = "1.0.0"
"""the version of all that is here: of the package, of its client, and what the service says"""

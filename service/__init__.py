"""The HTTP service, its client and its command line."""

__version__ = "2.2.0"
"""version of the package, the client and the service"""

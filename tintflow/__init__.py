"""Public Python interface: a client of a running tintflow service.

from tintflow import Client

with Client("http://localhost:8000") as client:
    client.colorizations("photo.jpg", n=1).data[0].save("coloring.jpg")
"""

import sys

try:
    import service.client
    from service import __version__
    from service.client import *  # noqa: F403  # its __all__ is the list of public names
    from service.client.errors import *  # noqa: F403  # type checkers do not see that these are in that list
except ModuleNotFoundError as error:
    name = (error.name or "").partition(".")[0]
    if name not in {"model", "service"} or name not in sys.modules:
        raise
    raise ImportError(
        f"{sys.modules[name].__file__} hides tintflow's own package `{name}`: rename it, or import tintflow elsewhere"
    ) from error

__all__ = ["__version__"]
__all__ += service.client.__all__

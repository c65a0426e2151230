"""Public Python interface: a client of a running tintflow service.

from tintflow import Client

with Client("http://localhost:8000") as client:
    client.colorizations("photo.jpg", n=1).data[0].save("coloring.jpg")
"""

import service.client
from service import __version__
from service.client import *  # noqa: F403  # its __all__ is the list of public names
from service.client.errors import *  # noqa: F403  # type checkers do not see that these are in that list

__all__ = ["__version__"]
__all__ += service.client.__all__

"""Training of the network, and of the networks of research."""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ModuleNotFoundError("torch is not installed: pip install 'tintflow[train]'", name="torch")

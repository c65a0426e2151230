"""Quality of colorings: photos, measures, statistics, classifier."""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ModuleNotFoundError("torch is not installed: pip install 'tintflow[eval]'", name="torch")

"""The conditional invertible neural network, its pixels and its options."""

import sys

# Importing OpenVINO reports that to Google Analytics and writes an id into the user's home, unless this package of its
# own is missing. `None` makes it missing for Python, however OpenVINO was installed.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

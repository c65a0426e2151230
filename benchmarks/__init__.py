"""Measurements of quality, speed and load, and the figures of the documents."""

import model  # noqa: F401 - before OpenVINO: it keeps OpenVINO from reporting its use

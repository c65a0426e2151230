"""Measurements of quality, speed and load, and the figures of the documents."""

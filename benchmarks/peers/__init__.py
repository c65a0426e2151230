"""Peers to measure tintflow beside, each in an environment of its own."""

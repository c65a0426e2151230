"""Objectives of the parts of the cINN."""

"""Ablations of the flow of couplings, one component at a time."""

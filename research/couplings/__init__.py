"""Flows of affine couplings for comparison: at every level, or in the single chain of the paper's authors."""

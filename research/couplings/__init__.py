"""Affine couplings at every level, and the single chain of the paper's authors: to compare with."""

"""Affine couplings at every level, and the single chain of the paper's authors: what the product had before, to compare."""

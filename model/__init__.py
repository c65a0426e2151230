"""The conditional invertible neural network, its pixels and its options."""

"""The conditional invertible network: invertible blocks, levels, condition network, checkpoint."""

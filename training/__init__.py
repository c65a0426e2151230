"""Training of the network, and of the networks of research."""

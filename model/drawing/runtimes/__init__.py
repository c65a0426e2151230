"""Runtimes: what executes the network. Torch is the definition; OpenVINO is faster on CPUs."""

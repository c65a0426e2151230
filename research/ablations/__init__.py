"""The flow of couplings with one thing left out at a time."""

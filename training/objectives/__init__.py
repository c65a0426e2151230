"""What parts of the cINN are trained for."""

"""When work runs: what is accepted, what shares a pass, whether the model still works."""

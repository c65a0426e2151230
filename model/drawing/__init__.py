"""From a task to colorings: latents, hints, selection, plans, and the passes that run them."""

"""From a task to colorings: latents, hints, plans, and the passes that run them."""

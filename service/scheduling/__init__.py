"""Scheduling: admission of requests, batches, lanes, and the model's health checks."""

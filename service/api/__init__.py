"""The wire contract: parameters, bodies, endpoints."""

"""The HTTP service, its client and its command line."""

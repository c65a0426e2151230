"""Image files in and out: decoding in a sandbox, encoding, color profiles."""

"""The service on a Ray cluster: replicas, proxies, bulk work."""

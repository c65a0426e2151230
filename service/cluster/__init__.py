"""The service on a Ray cluster: replicas, proxies, work in bulk."""

"""What stands between the network and the application: access, headers, slow clients."""

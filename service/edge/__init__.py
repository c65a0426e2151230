"""The edge of the application: access, headers, slow clients."""

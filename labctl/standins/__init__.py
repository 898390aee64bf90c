"""Programs that run on machines in the place of what Debian does not have."""

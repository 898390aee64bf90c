"""Keys, certificates and tokens of a lab: created before any machine exists, and stored in 0600 files."""

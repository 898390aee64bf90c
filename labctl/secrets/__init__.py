"""Keys, certificates and tokens of one lab: made once, before any machine exists, and kept in 0600 files."""

"""The checks, a file per layer, a function per check."""

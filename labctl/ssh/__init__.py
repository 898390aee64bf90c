"""Commands on machines, over SSH."""

"""Commands for teaching: faults, the tour, and classes of many seats."""

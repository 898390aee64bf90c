"""verify: what is broken in a lab, and why."""

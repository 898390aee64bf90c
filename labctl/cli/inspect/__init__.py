"""Commands that look at a lab and change nothing in it."""

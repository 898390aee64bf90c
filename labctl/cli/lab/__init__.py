"""Commands that bring the lab up, stop it and remove it."""

"""Commands that reach the machines: shells, tools, and files for other programs."""

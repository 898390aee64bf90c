"""The command line: a table of commands, a folder per group of them, and what they share."""

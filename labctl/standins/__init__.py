"""Programs that run on the machines in place of software that Debian lacks."""

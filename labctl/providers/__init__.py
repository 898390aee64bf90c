"""The machines as a whole: boot them, stop them, remove them, always through Vagrant."""

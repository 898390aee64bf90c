"""labctl's own Vagrant box for LXC: built once, from Debian's packages alone, and kept in the user's cache."""

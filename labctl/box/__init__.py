"""labctl's own Vagrant box for LXC: built once from Debian's packages and kept in the user's cache."""

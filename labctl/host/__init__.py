"""Facts about this host, read and not changed; and its one line in /etc/hosts."""

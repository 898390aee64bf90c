"""The probes of this host, by provider. Each looks at one thing and says what to do about it."""

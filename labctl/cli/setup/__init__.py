"""Commands that prepare this host and a lab's directory."""

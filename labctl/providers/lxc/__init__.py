"""System containers of LXC."""

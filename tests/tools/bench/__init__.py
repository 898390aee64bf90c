"""How fast labctl itself is, each figure beside what it is compared with; docs/performance.md quotes them."""

"""bench: figures about the lab and about labctl itself, measured side by side in one run so that ratios stay honest."""

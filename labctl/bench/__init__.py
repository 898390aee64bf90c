"""bench: figures about the lab. What is compared is measured alternately in one run, so that ratios are fair."""

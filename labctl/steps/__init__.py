"""From the lab's model to files, every value quoted for the language of its file."""

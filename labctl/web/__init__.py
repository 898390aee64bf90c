"""The class in a browser: a page for each student, and one for the teacher (`labctl class serve`)."""

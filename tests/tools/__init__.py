"""Programs for maintainers: trials on real labs, measurements of labctl itself, and what writes docs/reference/.

Each is run from the top of the repository: ``PYTHONPATH=tests python -m tools.NAME --help``.
"""

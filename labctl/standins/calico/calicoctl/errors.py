"""What calicoctl tells its user when it cannot do what was asked."""


class CalicoctlError(Exception):
    """The text goes to stderr as it is; the exit code is 1."""

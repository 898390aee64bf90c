"""Which steps a lab takes, on which machine, and what each waits for. Pure data."""

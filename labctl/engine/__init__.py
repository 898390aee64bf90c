"""Up, halt and destroy: machines on their provider, steps over SSH, one labctl at a time per lab."""

"""labctl.yaml: its schema, its errors, and the lab that it describes."""

from labctl.config.loader import Overrides, load, load_config, parse

__all__ = ["Overrides", "load", "load_config", "parse"]

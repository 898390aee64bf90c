"""labctl.yaml: its schema, its errors, and the lab that it describes."""

from labctl.config.loader import load_config, parse
from labctl.config.overrides import Overrides

__all__ = ["Overrides", "load_config", "parse"]

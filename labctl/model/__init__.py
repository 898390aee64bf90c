"""The lab as pure data: no file, no network, no clock."""

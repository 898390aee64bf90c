"""How labctl looks at this host: files below a root, programs on the PATH. Tests have hosts of their own."""

from __future__ import annotations

import os
import platform as python_platform
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labctl.host.facts import AskProgram, ask_program


def _can_open(path: Path) -> bool:
    """Whether a device file can be opened for reading and writing; some exist without anything behind them."""
    try:
        os.close(os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0)))
    except OSError:
        return False
    return True


def _memory() -> tuple[int, int]:
    """Bytes of memory: all of it, and what is free for new programs."""
    import psutil  # noqa: PLC0415 - few commands ask

    found = psutil.virtual_memory()
    return found.total, found.available


@dataclass(frozen=True, slots=True)
class Host:
    """The host. root: where absolute paths are looked up. platform: as in ``sys.platform``. release: the kernel's.

    memory: bytes in all, bytes free.
    """

    root: Path = Path("/")
    home: Path = field(default_factory=Path.home)
    platform: str = sys.platform
    machine: str = field(default_factory=python_platform.machine)
    release: str = field(default_factory=python_platform.release)
    cpus: int = field(default_factory=lambda: os.cpu_count() or 1)
    user: int = field(default_factory=lambda: os.geteuid() if hasattr(os, "geteuid") else 0)
    find: Callable[[str], str | None] = shutil.which
    ask: AskProgram = ask_program
    can_open: Callable[[Path], bool] = _can_open
    free_disk: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
    memory: Callable[[], tuple[int, int]] = _memory
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def is_linux(self) -> bool:
        """Whether this is Linux."""
        return self.platform.startswith("linux")

    @property
    def is_windows(self) -> bool:
        """Whether this is Windows."""
        return self.platform == "win32"

    @property
    def is_macos(self) -> bool:
        """Whether this is macOS."""
        return self.platform == "darwin"

    @property
    def has_apt(self) -> bool:
        """Whether packages come from apt here."""
        return self.find("apt-get") is not None

    def path(self, absolute: str) -> Path:
        """The file at an absolute path of this host."""
        return self.root / absolute.lstrip("/")

    def exists(self, absolute: str) -> bool:
        """Whether something is at an absolute path."""
        return self.path(absolute).exists()

    def read(self, absolute: str) -> str:
        """A file's text; empty where it cannot be read."""
        try:
            return self.path(absolute).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.lab_directory import LabDirectory
from labctl.secrets.keys import new_ssh_key


@pytest.fixture
def lab_nowhere(tmp_path: Path) -> LabDirectory:
    """A folder with the files of a lab whose machines are not there: its network is one that is given to nobody."""
    (tmp_path / "labctl.yaml").write_text("provider: lxc\nnetwork: {subnet: 192.0.2.0/24}\n")
    files = LabDirectory(tmp_path.resolve())
    files.ssh_key.parent.mkdir(parents=True)
    files.ssh_key.write_bytes(new_ssh_key())
    files.known_hosts.write_text("")
    return files

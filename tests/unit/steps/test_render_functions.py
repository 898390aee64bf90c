"""Every word that host/prepare.sh calls is a function of its own or a program: none got lost between two edits."""

from __future__ import annotations

import re
import shutil
from pathlib import PurePosixPath

import pytest

from labctl.steps.tree import render_tree


@pytest.mark.parametrize("more", ["", "limits: {memory: 2048, cpus: 1.5}\n"])
def test_the_hosts_script_calls_nothing_that_is_not_there(make_lab, more):
    tree = render_tree(make_lab(more), join_hash="sha256:0", box_file=None)
    script = tree[PurePosixPath("host/prepare.sh")].content.decode()
    functions = set(re.findall(r"^(\w+)\(\) \{", script, re.MULTILINE))
    alone = set(re.findall(r"^ +([a-z]+(?:_[a-z]+)+)$", script, re.MULTILINE))
    assert alone and {word for word in alone if shutil.which(word) is None} <= functions


@pytest.mark.parametrize("source", ["debian", "upstream"])
def test_a_unit_is_wanted_at_boot_before_systemd_reads_its_units(make_lab, source):
    """Else systemd forgets when that unit was stopped, and the check says that it never ran."""
    tree = render_tree(make_lab(f"source: {source}\n"), join_hash="sha256:0", box_file=None)
    units = "haproxy-ingress|labctl-calico-node"
    wants = re.compile(rf"^(?:start_at_boot|systemctl enable\b.* --no-reload) .*?({units})", re.MULTILINE)
    found = set()
    for content in (file.content.decode() for path, file in tree.items() if path.suffix == ".sh"):
        for line in wants.finditer(content):
            found.add(line[1])
            assert "\nsystemctl daemon-reload\n" in content[line.end() :]
    assert found == {"haproxy-ingress"} | ({"labctl-calico-node"} if source == "debian" else set())

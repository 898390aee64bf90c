"""What a lab may change on this host, as text that two looks can be compared by."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

# The kernel's settings that a lab needs otherwise than most hosts have them.
_KERNEL = (
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "fs/inotify/max_user_instances",
    "fs/inotify/max_user_watches",
)
_APPARMOR = Path("/sys/kernel/security/apparmor/policy/namespaces")
_FOLDERS = ("/run/labctl", "/var/lib/lxc", "/etc/lxc", "~/.vagrant.d", "/etc/exports.d")
# What carries the name, the folder or a network of a lab of these tests.
_TESTS = re.compile(r"labctl-labtest|/run/labctl/labs/labtest|labctl-tests/|\b192\.168\.7[789]\.")
# What shows that somebody works with labs, in the topics where that can be told.
_AT_WORK = {
    "containers": re.compile(""),
    "interfaces": re.compile(r"^labctl-"),
    "processes": re.compile(""),
    "files": re.compile(r"^/run/labctl/labs/"),
    "cgroups": re.compile(r"/labctl-"),
}
# Another program's traces pass, in the time that a test or a command of its own takes.
_SETTLED_SECONDS = 60
_OURS = re.compile(r"python\S* -m labctl\b|bin/labctl\b|bin/vagrant\b")
# Numbers that pass by themselves: counters of packets.
_PASSING = re.compile(r"\[\d+:\d+\]|packets \d+ bytes \d+")


def look_at_host() -> dict[str, list[str]]:
    """Everything on this host that bringing a lab up and removing it could change, by topic."""
    return {
        "containers": _printed("lxc-ls", "-1"),
        "interfaces": _interfaces(),
        "routes": _printed("ip", "route", "show", "table", "all"),
        "rules": _printed("ip", "rule"),
        "neighbors": _printed("ip", "neighbor", "show", "nud", "permanent"),
        "nftables": _printed("nft", "list", "ruleset"),
        "iptables": [line for line in _printed("iptables-save") if not line.startswith("#")],
        "kernel": [f"{name} = {Path('/proc/sys', name).read_text().strip()}" for name in _KERNEL],
        "mounts": sorted(line.split(" ", 3)[3] for line in _mounts()),
        "processes": _processes(),
        "files": _files(),
        "apparmor": sorted(path.name for path in _APPARMOR.glob("*")),
        "hosts": Path("/etc/hosts").read_text().splitlines(),
        "cgroups": sorted(str(path) for path in _cgroups()),
    }


def left_behind(before: dict[str, list[str]], mine: re.Pattern[str] = _TESTS) -> list[str]:
    """The differences that stay: other programs on this host come and go, too, and the kernel takes a moment to forget
    a network.
    """
    end = time.monotonic() + _SETTLED_SECONDS
    while (found := differences(before, look_at_host(), mine)) and time.monotonic() < end:
        time.sleep(0.5)
    return found


def differences(before: dict[str, list[str]], after: dict[str, list[str]], mine: re.Pattern[str] = _TESTS) -> list[str]:
    """What is there now and was not, and the other way round; nothing if both looks are equal.

    Where others on this host work with labs, too, they come and go as they like: then only what carries a test lab's
    name, folder or network (mine) counts.
    """
    found = []
    for topic, lines in before.items():
        found += [f"{topic}: gone: {line}" for line in lines if line not in after[topic]]
        found += [f"{topic}: left behind: {line}" for line in after[topic] if line not in lines]
    return [line for line in found if mine.search(line)] if _others(before, mine) or _others(after, mine) else found


def _others(look: dict[str, list[str]], mine: re.Pattern[str]) -> bool:
    """Whether somebody else was at work with labs."""
    shown = (line for topic, sign in _AT_WORK.items() for line in look[topic] if sign.search(line))
    return any(not mine.search(line) for line in shown)


def _printed(*command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        return []
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return [_PASSING.sub("", line).rstrip() for line in done.stdout.splitlines()]


def _interfaces() -> list[str]:
    """Each interface with its addresses and those of the bridge that it belongs to.

    Numbers of interfaces go on counting, so they are left out.
    """
    links = json.loads("".join(_printed("ip", "-json", "address")))
    addresses = {link["ifname"]: [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]] for link in links}
    found = []
    for link in links:
        words = [link["ifname"], *addresses[link["ifname"]], *_bridge_of(link, addresses), *link["flags"]]
        found.append(f"{' '.join(words)} mtu {link['mtu']}")
    return found


def _bridge_of(link: dict[str, Any], addresses: dict[str, list[str]]) -> list[str]:
    bridge = link.get("master", "")
    return [f"in {bridge}", *addresses.get(bridge, [])] if bridge else []


def _mounts() -> list[str]:
    """Lines of mountinfo (proc(5)): id, parent, device, root, mount point, options; three are only numbers."""
    return Path("/proc/self/mountinfo").read_text().splitlines()


def _processes() -> list[str]:
    """Processes of LXC, of Vagrant and of labctl, with their folders, which tell whose they are.

    One that has ended, unnoticed by its parent, has no command line.
    """
    found = []
    for process in psutil.process_iter(["name", "cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or [])
        if line and (process.info["name"].startswith(("lxc-", "vagrant", "mmdebstrap")) or _OURS.search(line)):
            found.append(f"{line} in {process.info['cwd']}/")
    return sorted(found)


def _files() -> list[str]:
    found: list[str] = []
    for folder in _FOLDERS:
        for path, folders, files in os.walk(Path(folder).expanduser()):
            # The disk of another lab's machine is that machine's business.
            folders[:] = [name for name in folders if name not in ("delta", "disk", "rootfs")]
            found += [path, *(f"{path}/{name}" for name in files)]
    return sorted(found)


def _cgroups() -> Sequence[Path]:
    top = Path("/sys/fs/cgroup")
    return [path for pattern in ("lxc*", "*/lxc*", "labctl-*", "*/labctl-*") for path in top.glob(pattern)]

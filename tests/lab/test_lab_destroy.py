"""`labctl destroy` takes away everything that `labctl up` made: the host is compared with what it was before."""

from __future__ import annotations

from host_state import differences, look_at_host
from lab_under_test import LabUnderTest


def test_destroy_leaves_the_host_as_it_was(lab: LabUnderTest, host_before: dict[str, list[str]]) -> None:
    assert differences(host_before, look_at_host()), "the comparison sees a lab that is up"
    lab.destroy()
    assert differences(host_before, look_at_host()) == []
    assert not lab.own.exists()


def test_nothing_is_left_to_talk_to_and_destroying_it_again_is_no_error(lab: LabUnderTest) -> None:
    assert "labctl up" in lab.labctl("ssh", "ingress", status=3).stderr
    lab.destroy()

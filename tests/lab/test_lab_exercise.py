"""`labctl tour --exercise` on a real lab: a student who types every command, and one who leaves half way."""

from __future__ import annotations

from support.lab_under_test import LabUnderTest
from support.student import CONFIG, exercise, written_by_hand

from labctl.tour.tasks import TASKS


def test_a_student_does_all_of_it_by_hand_and_the_lab_is_as_before(lab: LabUnderTest) -> None:
    before = lab.on("ingress", f"cat {CONFIG}")
    with exercise(lab) as student:
        student.types("labctl kubectl get pods")  # not what was asked for
        student.types("hint")
        student.reads("Hint: ")
        student.does_every_task()
    assert f"all {len(TASKS)} tasks done" in student.errors
    assert lab.on("ingress", f"cat {CONFIG}") == before
    assert lab.on("ingress", f"cat {CONFIG}.exercise; rm {CONFIG}.exercise") == written_by_hand(lab.model)
    lab.repaired()


def test_a_student_who_leaves_half_way(lab: LabUnderTest) -> None:
    before = lab.on("ingress", f"cat {CONFIG}")
    done = lab.labctl("tour", "--exercise", "--from", "refused", stdin="labctl calicoctl node status\nskip\n", status=1)
    assert done.stdout.count("✓ done") == 1
    assert "you stopped before the end" in done.stderr
    assert lab.on("ingress", f"cat {CONFIG}; rm {CONFIG}.exercise") == before
    lab.repaired()

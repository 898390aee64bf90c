"""`labctl tour --exercise` on a real lab: a student who types every command, and one who leaves half way."""

from __future__ import annotations

from support.lab_under_test import LabUnderTest
from support.student import exercise

from labctl.model.lab import Lab
from labctl.tour.tasks import TASKS

CONFIG = "/etc/bird/bird.conf"


def written_by_hand(lab: Lab) -> str:
    """A bird.conf as the article has it: a protocol for each node."""
    network = lab.network
    text = (
        f"router id {lab.ingress.address};\nprotocol device {{ }}\n"
        "protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }\n"
    )
    for index, node in enumerate(lab.nodes):
        text += (
            f"protocol bgp peer{index} {{ local {lab.ingress.address} as {network.ingress_as_number}; direct; "
            f"neighbor {node.address} as {network.as_number}; "
            f"ipv4 {{ import where net ~ [ {network.pod_cidr}{{{network.block_size},{network.block_size}}} ]; "
            "export none; }; }\n"
        )
    return text


def test_a_student_does_all_of_it_by_hand_and_the_lab_is_as_before(lab: LabUnderTest) -> None:
    before = lab.on("ingress", f"cat {CONFIG}")
    (lab.folder / "mine.conf").write_text(written_by_hand(lab.model))
    typed = {task.stop: task.solution(lab.model) for task in TASKS}
    typed["filter"] = f"labctl ssh ingress -- 'cat > {CONFIG}' < mine.conf"
    with exercise(lab) as student:
        student.types("labctl kubectl get pods")  # not what was asked for
        student.types("hint")
        student.reads("Hint: ")
        for line in typed.values():
            student.types(line)
            student.reads("✓ done")
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

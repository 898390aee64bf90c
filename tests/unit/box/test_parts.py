import threading
import time
from pathlib import Path

import pytest

from labctl.box.parts import build_parts, part, remove_partial, required, seconds_left
from labctl.errors import BoxError
from labctl.host.host import Host
from labctl.scheduler import LineEvent, State, StateEvent, TaskName

pytestmark = pytest.mark.real_program("cat", "echo", "false", "sh", "sleep", "true")


def build(parts, folder, wanted, on_event=lambda event: None):
    return build_parts(parts, wanted, folder, on_event, Host())


def simple(name, *needs, digest="1", made=None):
    def make(work):
        if made is not None:
            made.append(name)
        words = [(path / "word").read_text() for path in work.needs.values()]
        (work.out / "word").write_text("+".join([*words, name]))

    return part(name, digest, make, *needs)


def test_parts_are_made_in_order_and_kept(tmp_path):
    made = []
    parts = [simple("c", "a", "b", made=made), simple("a", made=made), simple("b", "a", made=made)]
    path = build(parts, tmp_path / "p", "c")
    assert path == tmp_path / "p" / "c-1"
    assert (path / "word").read_text() == "a+a+b+c"
    assert made == ["a", "b", "c"]
    build(parts, tmp_path / "p", "c")
    assert made == ["a", "b", "c"]


def test_what_only_a_kept_part_needed_is_not_made_again(tmp_path):
    made = []
    parts = [simple("a", made=made), simple("b", "a", made=made)]
    build(parts, tmp_path / "p", "b")
    (tmp_path / "p" / "a-1").rename(tmp_path / "gone")
    build([*parts, simple("c", "b", made=made)], tmp_path / "p", "c")
    assert made == ["a", "b", "c"]


def test_another_digest_is_another_part(tmp_path):
    made = []
    build([simple("a", made=made)], tmp_path / "p", "a")
    build([simple("a", made=made, digest="2")], tmp_path / "p", "a")
    assert made == ["a", "a"]


def test_an_interrupted_build_resumes_and_leaves_nothing_partial(tmp_path):
    made = []

    def fail(work):
        (work.out / "half").write_text("x")
        raise BoxError("no luck")

    with pytest.raises(BoxError, match="no luck"):
        build([simple("a", made=made), part("b", "1", fail, "a")], tmp_path / "p", "b")
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["a-1"]
    (tmp_path / "p" / "b-1.partial").mkdir()
    build([simple("a", made=made), simple("b", "a", made=made)], tmp_path / "p", "b")
    assert made == ["a", "b"]
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["a-1", "b-1"]


def test_independent_parts_run_side_by_side(tmp_path):
    meet = threading.Barrier(2, timeout=60)

    def make(work):
        meet.wait()

    both = [part("a", "1", make), part("b", "1", make), part("c", "1", lambda work: None, "a", "b")]
    assert build(both, tmp_path / "p", "c").is_dir()


def test_a_failure_ends_the_others_commands(tmp_path):
    started = threading.Event()

    def sleeper(work):
        started.set()
        work.commands.run("sleep", "60", deadline=100)

    def failer(work):
        started.wait(10)
        work.commands.run("sh", "-c", "echo first; echo it broke >&2; exit 3", deadline=10)

    parts = [part("s", "1", sleeper), part("f", "1", failer), simple("end", "s", "f")]
    began = time.monotonic()
    with pytest.raises(BoxError) as caught:
        build(parts, tmp_path / "p", "end")
    assert time.monotonic() - began < 10
    assert "exit code 3" in caught.value.what
    assert "it broke" in caught.value.why
    assert caught.value.where == str(tmp_path / "logs" / "f.log")
    assert list((tmp_path / "p").iterdir()) == []


@pytest.mark.host_file("/proc")
def test_ctrl_c_ends_the_commands_and_their_children(tmp_path):
    child = tmp_path / "child"

    def make(work):
        work.commands.run("sh", "-c", f"sleep 60 & echo $! >{child}; wait", deadline=100)

    def interrupt(work):
        deadline = time.monotonic() + 60
        while not (child.is_file() and child.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise KeyboardInterrupt

    parts = [part("a", "1", make), part("i", "1", interrupt), simple("end", "a", "i")]
    with pytest.raises(KeyboardInterrupt):
        build(parts, tmp_path / "p", "end")
    assert list((tmp_path / "p").iterdir()) == []
    pid = int(child.read_text())
    deadline = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_has_a_deadline(tmp_path):
    piece = part("a", "1", lambda work: work.commands.run("sleep", "60", deadline=0.3))
    with pytest.raises(BoxError, match="did not end"):
        build([piece], tmp_path / "p", "a")


def test_an_absent_program_is_a_box_error(tmp_path):
    piece = part("a", "1", lambda work: work.commands.run("labctl-no-such-program", deadline=5))
    with pytest.raises(BoxError, match="labctl-no-such-program is not installed"):
        build([piece], tmp_path / "p", "a")


def test_what_is_asked_for_is_returned_and_what_is_done_is_logged(tmp_path):
    def make(work):
        (work.out / "answer").write_text(work.commands.output("echo", "words", deadline=5))
        work.commands.run("sh", "-c", "echo done >&2", deadline=5)
        with pytest.raises(BoxError, match="exit code 3"):
            work.commands.output("sh", "-c", "exit 3", deadline=5)

    path = build([part("a", "1", make)], tmp_path / "p", "a")
    assert (path / "answer").read_text() == "words\n"
    assert (tmp_path / "logs" / "a.log").read_text() == "+ sh -c echo done >&2\ndone\n"


def test_events_report_states_and_lines(tmp_path):
    events = []

    def make(work):
        work.commands.run("sh", "-c", "echo one; sleep 0.6; echo two", deadline=10)

    parts = [part("a", "1", make), part("b", "1", lambda work: None, "a")]
    build(parts, tmp_path / "p", "b", events.append)
    a, b = TaskName("box", "a"), TaskName("box", "b")
    states = [(event.task, event.state) for event in events if isinstance(event, StateEvent)]
    assert states == [(a, State.RUNNING), (a, State.DONE), (b, State.RUNNING), (b, State.DONE)]
    assert LineEvent(a, "one") in events
    events.clear()
    build([*parts, part("c", "1", lambda work: None, "b")], tmp_path / "p", "c", events.append)
    states = [(event.task.step, event.state) for event in events if isinstance(event, StateEvent)]
    assert states[1:] == [("b", State.SKIPPED), ("c", State.RUNNING), ("c", State.DONE)]


def test_seconds_left_are_those_of_the_longest_chain(tmp_path):
    def idle(work):
        pass

    a, b = TaskName("box", "a"), TaskName("box", "b")
    parts = [
        part("a", "1", idle, usual=20),
        part("b", "1", idle, usual=10),
        part("c", "1", idle, "a", "b", usual=3),
    ]
    assert seconds_left(parts, {}, ()) == 23
    assert seconds_left(parts, {a: 15, b: 50}, ()) == 8
    assert seconds_left(parts, {b: 50}, {a}) == 3.5
    assert seconds_left(parts, {}, [one.name for one in parts]) == 0
    (tmp_path / "c-1").mkdir()
    assert [one.name.step for one in required(parts, "c", tmp_path)] == ["c"]


def test_partial_folders_are_removed(tmp_path):
    (tmp_path / "x.partial" / "deep").mkdir(parents=True)
    (tmp_path / "y").mkdir()
    remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["y"]

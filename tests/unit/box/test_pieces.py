import threading
import time
from pathlib import Path

import pytest

from labctl.box.pieces import Build, Piece, remove_partial
from labctl.box.progress import PieceProgress, State, seconds_left
from labctl.errors import BoxError


def simple(name, *needs, digest="1", made=None):
    def make(work):
        if made is not None:
            made.append(name)
        words = [(path / "word").read_text() for path in work.needs.values()]
        (work.out / "word").write_text("+".join([*words, name]))

    return Piece(name, digest, make, needs)


def test_pieces_are_made_in_order_and_kept(tmp_path):
    made = []
    pieces = [simple("c", "a", "b", made=made), simple("a", made=made), simple("b", "a", made=made)]
    path = Build(pieces, tmp_path / "p").make("c")
    assert path == tmp_path / "p" / "c-1"
    assert (path / "word").read_text() == "a+a+b+c"
    assert made == ["a", "b", "c"]
    Build(pieces, tmp_path / "p").make("c")
    assert made == ["a", "b", "c"]


def test_what_only_a_kept_piece_needed_is_not_made_again(tmp_path):
    made = []
    pieces = [simple("a", made=made), simple("b", "a", made=made)]
    Build(pieces, tmp_path / "p").make("b")
    (tmp_path / "p" / "a-1").rename(tmp_path / "gone")
    Build([*pieces, simple("c", "b", made=made)], tmp_path / "p").make("c")
    assert made == ["a", "b", "c"]


def test_another_digest_is_another_piece(tmp_path):
    made = []
    Build([simple("a", made=made)], tmp_path / "p").make("a")
    Build([simple("a", made=made, digest="2")], tmp_path / "p").make("a")
    assert made == ["a", "a"]


def test_an_interrupted_build_resumes_and_leaves_nothing_partial(tmp_path):
    made = []

    def fail(work):
        (work.out / "half").write_text("x")
        raise BoxError("no luck")

    with pytest.raises(BoxError, match="no luck"):
        Build([simple("a", made=made), Piece("b", "1", fail, ("a",))], tmp_path / "p").make("b")
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["a-1"]
    (tmp_path / "p" / "b-1.partial").mkdir()
    Build([simple("a", made=made), simple("b", "a", made=made)], tmp_path / "p").make("b")
    assert made == ["a", "b"]
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["a-1", "b-1"]


def test_independent_pieces_run_side_by_side(tmp_path):
    meet = threading.Barrier(2, timeout=60)

    def make(work):
        meet.wait()

    both = [Piece("a", "1", make), Piece("b", "1", make), Piece("c", "1", lambda work: None, ("a", "b"))]
    assert Build(both, tmp_path / "p").make("c").is_dir()


def test_a_failure_ends_the_others_commands(tmp_path):
    started = threading.Event()

    def sleeper(work):
        started.set()
        work.commands.run(["sleep", "60"], deadline=100)

    def failer(work):
        started.wait(10)
        work.commands.run(["sh", "-c", "echo first; echo it broke >&2; exit 3"], deadline=10)

    pieces = [Piece("s", "1", sleeper), Piece("f", "1", failer), simple("end", "s", "f")]
    began = time.monotonic()
    with pytest.raises(BoxError) as caught:
        Build(pieces, tmp_path / "p").make("end")
    assert time.monotonic() - began < 10
    assert "exit code 3" in caught.value.what
    assert "it broke" in caught.value.why
    assert caught.value.where == str(tmp_path / "logs" / "f.log")
    assert list((tmp_path / "p").iterdir()) == []


def test_ctrl_c_ends_the_commands_and_their_children(tmp_path):
    child = tmp_path / "child"

    def make(work):
        work.commands.run(["sh", "-c", f"sleep 60 & echo $! >{child}; wait"], deadline=100)

    def listener(progress):
        if child.is_file() and child.read_text().strip():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Build([Piece("a", "1", make)], tmp_path / "p", listener).make("a")
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
    piece = Piece("a", "1", lambda work: work.commands.run(["sleep", "60"], deadline=0.3))
    with pytest.raises(BoxError, match="took longer"):
        Build([piece], tmp_path / "p").make("a")


def test_an_absent_program_is_a_box_error(tmp_path):
    piece = Piece("a", "1", lambda work: work.commands.run(["labctl-no-such-program"], deadline=5))
    with pytest.raises(BoxError, match="Cannot run labctl-no-such-program"):
        Build([piece], tmp_path / "p").make("a")


def test_output_to_a_file_is_kept_apart_from_the_log(tmp_path):
    def make(work):
        (work.out / "in").write_text("words")
        work.commands.run(["cat"], deadline=5, stdin=work.out / "in", stdout=work.out / "out")

    path = Build([Piece("a", "1", make)], tmp_path / "p").make("a")
    assert (path / "out").read_text() == "words"
    assert (tmp_path / "logs" / "a.log").read_text() == "+ cat\n"


def test_progress_tells_states_lines_and_an_end(tmp_path):
    heard = []

    def make(work):
        work.commands.run(["sh", "-c", "echo one; sleep 0.6; echo two"], deadline=10)

    pieces = [Piece("a", "1", make, usual=9.0), Piece("b", "1", lambda work: None, ("a",))]
    Build(pieces, tmp_path / "p", heard.append).make("b")
    states = [progress.pieces[0].state for progress in heard]
    assert states[0] in (State.WAITING, State.RUNNING)
    assert states[-1] is State.DONE
    assert "one" in {progress.pieces[0].line for progress in heard}
    assert heard[-1].ended
    assert heard[-1].left_seconds == 0
    assert max(progress.left_seconds for progress in heard) <= 10


def test_time_left_is_the_longest_way():
    needs = {"a": (), "b": (), "c": ("a", "b")}
    pieces = {
        "a": PieceProgress("a", State.RUNNING, seconds=15, usual=20),
        "b": PieceProgress("b", State.RUNNING, seconds=50, usual=10),
        "c": PieceProgress("c", State.WAITING, usual=3),
    }
    assert seconds_left(pieces, needs) == 8
    pieces["a"] = PieceProgress("a", State.KEPT, usual=20)
    assert seconds_left(pieces, needs) == 3.5


def test_partial_folders_are_removed(tmp_path):
    (tmp_path / "x.partial" / "deep").mkdir(parents=True)
    (tmp_path / "y").mkdir()
    remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["y"]

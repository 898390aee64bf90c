import errno
import re
from pathlib import Path

import pytest

from labctl import __version__
from labctl.cli.commands import COMMANDS
from labctl.cli.main import with_system_programs
from labctl.config.schema import Config
from labctl.errors import ConfigError, RemoteError

pytestmark = pytest.mark.real_program("bash")


def test_version(run):
    assert run("--version").output == f"labctl {__version__}\n"


def test_the_changelog_begins_with_this_version():
    text = (Path(__file__).parents[3] / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == __version__
    assert headings == sorted(headings, key=lambda version: [int(part) for part in version.split(".")], reverse=True)


def test_help_lists_every_command_with_its_line(run):
    result = run("--help")
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert all(f"{name} {row.help}" in text for name, row in COMMANDS.items())


def test_no_words_at_all_show_the_help(run):
    result = run()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == run("--help").stdout


@pytest.mark.parametrize(
    ("words", "following"),
    [
        (("up", "-q"), "put -q before the command: labctl -q up"),
        (("class", "up", "--no-color"), "put --no-color before the command: labctl --no-color class up"),
        (("up", "--quick"), "labctl up --help"),
        (("--quick", "up"), "labctl --help"),
    ],
)
def test_an_option_in_the_wrong_place(run, words, following):
    result = run(*words)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"  next:  {following}"


def test_an_unknown_command(run):
    result = run("hlat")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: no command 'hlat'; did you mean halt?\n  next:  labctl --help\n"


def test_a_folder_that_is_not_there(run, tmp_path):
    result = run("-C", str(tmp_path / "none"), "hosts")
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: Invalid value for '-C': Directory '{tmp_path / 'none'}' does not exist\n  next:  labctl --help\n"
    )


def test_options_come_from_the_environment(run, tmp_path):
    (tmp_path / "labctl.yaml").write_text("provider: lxc\napp: {host: from.environment}\n")
    result = run("hosts", env={"LABCTL_DIRECTORY": str(tmp_path)})
    assert result.output == "192.168.50.21 from.environment # labctl:lab\n"
    hosts = tmp_path / "hosts"
    result = run("hosts", "--apply", env={"LABCTL_DIRECTORY": str(tmp_path), "LABCTL_HOSTS_FILE": str(hosts)})
    assert (result.exit_code, hosts.read_text()) == (0, "192.168.50.21 from.environment # labctl:lab\n")


def test_a_wrong_labctl_yaml_shows_all_its_errors(run, lab_folder):
    lab_folder.config.write_text("workerz: 2\nnetwork:\n  as_number: 0\n")
    result = run("hosts")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: labctl.yaml has 2 errors\n"
        f"  labctl.yaml:1: workerz: unknown key; allowed: {', '.join(Config.model_fields)}; did you mean workers?\n"
        "  labctl.yaml:3: network.as_number: 0; allowed: a whole number from 1 to 4294967295\n"
    )


def raising(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def lab(self, overrides=None):
        raise error

    monkeypatch.setattr("labctl.cli.app.Application.lab", lab)


def test_an_error_shows_its_parts(run, lab_folder, monkeypatch):
    raising(
        monkeypatch, RemoteError("no answer", where="worker1", why="line 1\n\x1b[31mline\t2", next_step="labctl up")
    )
    result = run("hosts")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: no answer\n  where: worker1\n  why:   line 1\n         ?[31mline 2\n  next:  labctl up\n"
    )


def test_config_errors_end_with_2(run, lab_folder, monkeypatch):
    raising(monkeypatch, ConfigError("wrong"))
    assert run("hosts").exit_code == 2


def test_an_unexpected_error_shows_no_traceback(run, lab_folder, monkeypatch):
    raising(monkeypatch, ZeroDivisionError("division by zero"))
    result = run("hosts")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: internal error: ZeroDivisionError: division by zero\n"
        "  next:  run it again with -v (labctl -v …) to get a traceback in .labctl/labctl.log\n"
    )
    assert not lab_folder.log.exists()


@pytest.mark.parametrize(
    ("file", "who"),
    [
        ("/etc/passwd", "root, who owns the file, or as root"),
        ("/no/such/file", "the user who created the lab, or as root"),
    ],
)
def test_what_is_not_permitted_says_to_whom_it_is(run, lab_folder, monkeypatch, file, who):
    raising(monkeypatch, PermissionError(errno.EACCES, "Permission denied", file))
    result = run("hosts")
    assert (result.exit_code, result.stderr) == (
        1,
        f"error: {file}: permission denied\n  next:  run the same command as {who}\n",
    )


def test_with_v_the_traceback_is_in_the_log(run, lab_folder, monkeypatch):
    raising(monkeypatch, ZeroDivisionError("division by zero"))
    result = run("-v", "hosts")
    assert result.stderr == (
        "error: internal error: ZeroDivisionError: division by zero\n  why:   the traceback is in .labctl/labctl.log\n"
    )
    assert "Traceback (most recent call last)" in lab_folder.log.read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_LABCTL_COMPLETE" in result.stdout


def test_completion_names_commands(run):
    result = run(env={"_LABCTL_COMPLETE": "bash_complete", "COMP_WORDS": "labctl ku", "COMP_CWORD": "1"})
    assert result.stdout == "plain,kubectl\nplain,kubeconfig\n"


def test_programs_of_administrators_are_found_by_ordinary_users():
    assert with_system_programs("/usr/local/bin:/usr/bin:/bin") == "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    assert with_system_programs("/usr/sbin:/usr/bin:/sbin:/bin") == "/usr/sbin:/usr/bin:/sbin:/bin"

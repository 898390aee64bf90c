import pytest

from labctl.lab_directory import LabDirectory

pytestmark = pytest.mark.real_program("sh")

KUBECTL = "kubectl KUBECONFIG=/etc/kubernetes/admin.conf\n"


def test_kubectl_gets_exactly_the_words_and_its_status_comes_back(run, shell_server, tools):
    words = ["--help", "-n", "a b", "exec", "it's", "--", "sh", "-c", 'echo "$x"\n*', ""]
    result = run("kubectl", *words)
    assert result.stdout == KUBECTL + "".join(f"<{word}>\n" for word in words) + "input:\n"
    assert result.stderr == "to stderr\n"
    assert result.exit_code == 7


def test_kubectl_gets_standard_input_when_it_asks_for_it(run, shell_server, tools):
    result = run("kubectl", "apply", "-f", "-", stdin=b"kind: \xff\n")
    assert result.stdout_bytes == KUBECTL.encode() + b"<apply>\n<-f>\n<->\ninput:\nkind: \xff\n"


def test_kubectl_leaves_standard_input_alone_when_it_does_not_ask(run, shell_server, tools):
    assert run("kubectl", "get", "nodes", stdin=b"not for kubectl").stdout == KUBECTL + "<get>\n<nodes>\ninput:\n"
    assert run("kubectl", "--", "get", "nodes").stdout == run("kubectl", "get", "nodes").stdout


def test_a_local_file_is_sent(run, shell_server, tools, lab_folder: LabDirectory):
    (lab_folder.base / "app.yaml").write_bytes(b"kind: Ingress\n")
    for words in (["-f", "app.yaml"], ["--filename=app.yaml"], ["-fapp.yaml"]):
        result = run("kubectl", "apply", *words, "--wait")
        assert result.stdout == KUBECTL + "<apply>\n<-f>\n<->\n<--wait>\ninput:\nkind: Ingress\n"


def test_two_local_files_are_refused(run, shell_server, tools, lab_folder: LabDirectory):
    for name in ("a.yaml", "b.yaml"):
        (lab_folder.base / name).touch()
    result = run("kubectl", "apply", "-f", "a.yaml", "-f", "b.yaml")
    assert (result.exit_code, result.output) == (
        2,
        "error: labctl can send only one file, not 2\n  next:  cat a.yaml b.yaml | labctl kubectl … -f -\n",
    )


def test_birdc_runs_on_the_machine_that_is_named(run, shell_server, tools):
    result = run("birdc", "ingress", "show", "route", "all", "-x")
    assert result.stdout == "birdc KUBECONFIG=\n<show>\n<route>\n<all>\n<-x>\ninput:\n"


def test_birdc_without_a_machine(run, lab_folder):
    result = run("birdc", "--help")
    assert (result.exit_code, result.output) == (
        2,
        "error: birdc needs a machine first: labctl birdc MACHINE [COMMAND]...\n  next:  labctl birdc --help\n",
    )


def test_an_unknown_machine(run, lab_folder):
    result = run("birdc", "workr1", "show", "route")
    assert (result.exit_code, result.output) == (
        2,
        "error: no machine 'workr1'; did you mean worker1?\n  next:  labctl birdc --help\n",
    )


def test_calicoctl(run, shell_server, tools):
    result = run("calicoctl", "node", "status")
    assert result.stdout == "calicoctl KUBECONFIG=/etc/kubernetes/admin.conf\n<node>\n<status>\ninput:\n"
    assert result.exit_code == 7


def test_ssh_joins_the_words_for_the_machines_shell(run, shell_server):
    result = run("ssh", "worker1", "--", "printf", "'%s|'", "a  b", '"$((1+1))"', ";", "exit", "3")
    assert (result.exit_code, result.stdout) == (3, "a|b|2|")


def test_ssh_passes_bytes_both_ways(run, shell_server):
    data = bytes(range(256)) * 4096
    result = run("ssh", "worker1", "cat; echo end >&2", stdin=data)
    assert result.stdout_bytes == data
    assert result.stderr == "end\n"


def test_ssh_says_so_when_a_signal_ended_the_command(run, shell_server):
    result = run("ssh", "worker1", "--", "echo begun; kill -KILL $$")
    assert (result.exit_code, result.stdout) == (1, "begun\n")
    assert result.stderr == (
        "error: a signal ended the command on worker1\n"
        "  why:   it was killed, perhaps because the machine ran out of memory\n"
    )


def test_ssh_without_a_lab(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("ssh", "worker1", "--", "true")
    assert (result.exit_code, result.output) == (3, f"error: there is no lab in {tmp_path}\n  next:  labctl up\n")


def test_a_tool_that_no_step_has_installed_yet(run, shell_server):
    result = run("calicoctl", "get", "nodes")
    assert result.exit_code == 127
    last = result.stderr.splitlines()[-1]
    assert last == "calicoctl is installed by the step calico, which is not done yet: labctl up --until calico"

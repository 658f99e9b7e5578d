# SPDX-License-Identifier: Apache-2.0
"""`wsf` as a person meets it: good input, bad input, the end."""
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess

import pytest

from dev_rig import Dev, need_kubectl, wait_for
from peers import TEXT, Peer, field, switching_protocols, upgrade_request
from refusals import check_refusal

ROOT = pathlib.Path(__file__).parent.parent.parent
ECHO = ROOT / "examples" / "echo-python"


@pytest.fixture
def wsf_program(programs):
    return programs / "wsf"


def run_badly(program, *arguments, cwd=None):
    """The one line that a call with bad input prints; its exit status is 2."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, cwd=cwd)
    assert done.returncode == 2, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_U16_a_command_that_does_not_exist(wsf_program):
    assert "not found in PATH" in run_badly(wsf_program, "dev", "-p", "0", "--", "no-such-program")
    assert "does not exist" in run_badly(wsf_program, "dev", "-p", "0", "--", "./no-such-program")


def test_U16_a_command_that_may_not_be_executed(wsf_program, tmp_path):
    program = tmp_path / "server.sh"
    program.write_text("#!/bin/sh\n")
    line = run_badly(wsf_program, "dev", "-p", "0", "--", str(program))
    assert "may not be executed" in line and "chmod +x" in line


def test_U16_a_port_in_use(wsf_program):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = run_badly(wsf_program, "dev", "-p", port, "--", "/bin/true")
    assert port in line and "-p" in line


def test_U16_nothing_to_run(wsf_program, tmp_path):
    assert "give a folder or a command" in run_badly(wsf_program, "dev")
    assert "scf_bootstrap" in run_badly(wsf_program, "dev", str(tmp_path))


def test_U16_K01_an_invalid_spec(wsf_program, tmp_path):
    line = run_badly(wsf_program, "dev", "--set", "executionTimeoutSeconds=0", "--", "/bin/true")
    assert "executionTimeoutSeconds" in line and "1 to 86400" in line
    assert "key=value" in run_badly(wsf_program, "dev", "--set", "x", "--", "/bin/true")
    manifest = tmp_path / "function.yaml"
    manifest.write_text("kind: WebSocketFunction\nspec: {port: [")
    assert "function.yaml" in run_badly(wsf_program, "dev", "-f", str(manifest))
    assert "cannot read" in run_badly(wsf_program, "dev", "-f", str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("assignment", ["a..b=1", ".=1", "~=1", "limits.profile.x=1", "resources=5",
                                        "env=5", 'env=[{"name":"A","value":5}]', "limits=5",
                                        "nosuch=1", "resources.limits.memory=lots"])
def test_U16_a_field_that_cannot_be_set(wsf_program, assignment):
    run_badly(wsf_program, "dev", "-p", "0", "--set", assignment, "--", "/bin/true")


@pytest.mark.parametrize("text", ["kind: 5", "kind: [x]", "spec: 5", "metadata: 5", "a: &a [*a]",
                                  "metadata: {name: 5}\nspec: {command: [/bin/true]}",
                                  "metadata: {name: a}\nspec: &a {command: *a}",
                                  "metadata: {name: a, generation: x}\nspec: {}"])
def test_U16_a_manifest_of_the_wrong_shape(wsf_program, tmp_path, text):
    manifest = tmp_path / "function.yaml"
    kind = "" if text.startswith("kind") else "kind: WebSocketFunction\n"
    manifest.write_text(kind + text + "\n")
    run_badly(wsf_program, "dev", "-p", "0", "-f", str(manifest))


def test_U16_flags_that_cannot_work(wsf_program, tmp_path):
    assert "--host" in run_badly(wsf_program, "dev", "--host", "nowhere", "--", "/bin/true")
    line = run_badly(wsf_program, "dev", "-p", "0", "--ready-file", "/nonexistent/a", "--",
                     "/bin/true")
    assert "--ready-file" in line
    line = run_badly(wsf_program, "dev", "-p", "0", "--set", "workingDir=/nonexistent", "--",
                     "/bin/true")
    assert "workingDir" in line
    assert "cannot read" in run_badly(wsf_program, "dev", "-f", str(tmp_path))


def test_U16_a_data_folder_in_use(echo, wsf_program):
    line = run_badly(wsf_program, "dev", "-p", "0", "--data", str(echo.folder / "data"), "--",
                     "/bin/true")
    assert "--data" in line


def test_S4_a_body_of_the_wrong_type_is_refused_and_nothing_ends(echo, tmp_path):
    need_kubectl()
    for text in ("5", '"x"', "[]", '{"metadata": 5}', '{"metadata": {"name": 5}}',
                 '{"metadata": {"name": "a", "labels": {"a": 5}}}',
                 '{"metadata": {"name": "a", "ownerReferences": 5}}',
                 '{"metadata": {"name": "a"}, "spec": 5}',
                 '{"metadata": {"name": "a"}, "spec": {"resources": 5}}'):
        body = tmp_path / "body"
        body.write_text(text)
        path = "/apis/wsf.dev/v1alpha1/namespaces/default/websocketfunctions"
        done = subprocess.run(["kubectl", "--kubeconfig", echo.ready["kubeconfig"], "create", "--raw",
                               path, "-f", str(body)], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0, text
    client = echo.request()
    assert " 101 " in client.receive_head()


def test_I9_a_process_that_hides_ends_with_its_session(tmp_path, programs):
    """A server's grandchild in a session of its own, its parent gone."""
    code = ("import os, sys, time, runpy\n"
            "if os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n"
            f"  open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)\n"
            " os._exit(0)\n"
            f"runpy.run_path({str(ECHO / 'server.py')!r})\n")
    dev = Dev(tmp_path / "dev", programs, ["/usr/bin/python3", "-c", code])
    try:
        client = dev.request()
        assert " 101 " in client.receive_head()
        pid = int(wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(),
                           "the grandchild"))
        client.end()
        wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists() or
                 "zombie" in pathlib.Path(f"/proc/{pid}/status").read_text(), "it has ended")
    finally:
        dev.close()


def test_U12_U16_connect_says_what_is_wrong(wsf_program):
    assert "ws://" in run_badly(wsf_program, "connect", "http://localhost/")
    assert "Name: value" in run_badly(wsf_program, "connect", "ws://localhost:1/", "-H", "oops")


@pytest.fixture
def echo(tmp_path, programs):
    dev = Dev(tmp_path / "echo", programs, [], ["-f", str(ECHO / "function.yaml")], cwd=ECHO)
    yield dev
    dev.close()


def test_U12_connect_sends_lines_and_prints_messages(echo, wsf_program):
    done = subprocess.run([wsf_program, "connect", echo.url], input="one\ntwo\n", text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["one", "two"]
    assert "HTTP 101" in done.stderr and "X-Wsf-Request-Id" in done.stderr
    assert "closed 1000" in done.stderr


def connects(program, url: str) -> bool:
    done = subprocess.run([program, "connect", url], input="x\n", text=True, capture_output=True,
                          timeout=60)
    return done.returncode == 0 and done.stdout.splitlines()[1:] == ["x"]


def test_U10_U12_dev_on_ipv6(tmp_path, programs, wsf_program):
    """Its loopback is one: no warning, and the rules for pages hold."""
    dev = Dev(tmp_path, programs, [], ["--host=::1", str(ECHO)])
    try:
        assert dev.url.startswith("ws://[::1]:")
        assert "warning" not in dev.output()
        assert connects(wsf_program, dev.url)
        port = int(dev.url.rsplit(":", 1)[1].strip("/"))
        page = Peer(socket.create_connection(("::1", port)), masks=True)
        page.send_raw(upgrade_request("/", "[::1]", "Origin: https://evil.example\r\n"))
        check_refusal(page, 403, 0, "OriginNotAllowed")
    finally:
        dev.close()


def test_U12_connect_takes_urls_as_browsers_do(wsf, wsf_program):
    for tail, target in (("?x=1", "/?x=1"), ("/#part", "/"), ("#part", "/"), ("/a?b#c", "/a?b")):
        url = f"ws://localhost:{wsf.dev.port}{tail}"
        with subprocess.Popen([wsf_program, "connect", url], stdin=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as client:
            server = wsf.master.receive()
            head = server.receive_head()
            server.send_raw(switching_protocols(head))
            client.stdin.close()
            server.expect_close(1000)
            server.send_close(1000)
            assert client.wait(60) == 0
        assert head.startswith(f"GET {target} HTTP/1.1\r\n")
        assert field(head, "Host") == f"localhost:{wsf.dev.port}"


def test_U10_the_live_log_and_the_records(echo, wsf_program):
    subprocess.run([wsf_program, "connect", echo.url + "default/echo/x"], input="abc\n", text=True,
                   capture_output=True, timeout=60, check=True)
    record = wait_for(echo.records, "the record")[0]
    short = record["requestId"][-6:]
    output = wait_for(lambda: (o := echo.output()) and f"- {short} 200" in o and o, "the log line")
    assert f"+ {short} connected" in output
    assert record["toServer"] == {"messages": 1, "bytes": 3, "controlFrames": 1}


def test_U10_a_folder_with_scf_bootstrap(tmp_path, programs, wsf_program):
    (tmp_path / "scf_bootstrap").write_text(
        f"#!/bin/bash\nexec /usr/bin/python3 -u {ECHO / 'server.py'}\n")
    (tmp_path / "scf_bootstrap").chmod(0o755)
    dev = Dev(tmp_path / "dev", programs, [], [str(tmp_path)])
    try:
        done = subprocess.run([wsf_program, "connect", dev.url], input="hi\n", text=True,
                              capture_output=True, timeout=60, check=True)
        assert done.stdout.splitlines()[1] == "hi"
    finally:
        dev.close()


def test_U10_S3_05_a_changed_file_reaches_new_connections(tmp_path, programs):
    source = tmp_path / "source"
    source.mkdir()
    text = (ECHO / "server.py").read_text()
    (source / "server.py").write_text(text)
    (source / "function.yaml").write_text((ECHO / "function.yaml").read_text())
    dev = Dev(tmp_path / "dev", programs, [], [str(source)])
    try:
        old = dev.request()
        assert " 101 " in old.receive_head()
        assert old.receive().payload.startswith(b"hello from process")
        before = dev.kubectl("get", "wsf", "echo", "-o", "jsonpath={.status.revision}")
        (source / "server.py").write_text(text.replace("hello from process", "new code in process"))
        wait_for(lambda: dev.kubectl("get", "wsf", "echo", "-o", "jsonpath={.status.revision}")
                 != before, "a new revision")
        new = dev.request()
        assert " 101 " in new.receive_head()
        assert new.receive().payload.startswith(b"new code in process")
        old.send(TEXT, b"undisturbed")
        old.expect(TEXT, b"undisturbed")
    finally:
        dev.close()


def test_U10_U16_the_kubeconfig_is_its_owners_alone(echo):
    assert stat.S_IMODE(os.stat(echo.ready["kubeconfig"]).st_mode) == 0o600


def test_U20_kubectl_get_describe_logs_apply_delete(echo, wsf_program):
    client = echo.request()
    assert " 101 " in client.receive_head()
    client.receive()
    pods = echo.kubectl("get", "pods", "-o", "name").split()
    assert len(pods) == 1
    assert "echo" in echo.kubectl("get", "wsf") and "URL" in echo.kubectl("get", "wsf", "-o", "wide")
    assert "Serving" in echo.kubectl("describe", "wsf", "echo")
    assert "Node" in echo.kubectl("describe", pods[0])
    echo.kubectl("logs", pods[0])
    manifest = echo.folder / "second.yaml"
    manifest.write_text(
        "apiVersion: wsf.dev/v1alpha1\nkind: WebSocketFunction\nmetadata: {name: second}\n"
        f"spec: {{command: [/usr/bin/python3, -u, {ECHO}/server.py]}}\n")
    assert "created" in echo.kubectl("apply", "-f", str(manifest))
    assert "unchanged" in echo.kubectl("apply", "-f", str(manifest))
    done = subprocess.run([wsf_program, "connect", echo.url + "default/second"], input="x\n",
                          text=True, capture_output=True, timeout=60)
    assert done.stdout.splitlines()[1] == "x"
    assert "deleted" in echo.kubectl("delete", "wsf", "second")
    client.send(TEXT, b"still live")
    client.expect(TEXT, b"still live")


def test_P15_deleting_a_function_ends_its_sessions(echo):
    client = echo.request()
    client.receive_head()
    client.receive()
    echo.kubectl("delete", "wsf", "echo", "--wait=false")
    frame = client.receive()
    assert (frame.code, frame.reason) == (1001, "499 function stopped")


def test_U01_U22_ctrl_c_leaves_nothing_behind(tmp_path, programs):
    dev = Dev(tmp_path, programs, [], ["-f", str(ECHO / "function.yaml")], cwd=ECHO)
    client = dev.request()
    assert " 101 " in client.receive_head()
    children = dev.processes()
    assert len(children) >= 5  # supervisor, operator, gateway, sidecar, server
    dev.close()
    assert [pid for pid in children if pathlib.Path(f"/proc/{pid}").exists()] == []


def test_U22_a_killed_supervisor_leaves_no_orphan(tmp_path, programs):
    dev = Dev(tmp_path, programs, [], ["-f", str(ECHO / "function.yaml")], cwd=ECHO)
    client = dev.request()
    assert " 101 " in client.receive_head()
    children = dev.processes()
    os.kill(dev.ready["pid"], signal.SIGKILL)
    dev.process.wait(timeout=30)
    wait_for(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in children),
             "every process has gone")


@pytest.mark.parametrize("part", ["operatorPid", "gatewayPid"])
def test_U22_operator_and_gateway_are_started_again(echo, wsf_program, part):
    os.kill(echo.ready[part], signal.SIGKILL)

    def works():
        done = subprocess.run([wsf_program, "connect", echo.url], input="x\n", text=True,
                              capture_output=True, timeout=60)
        return done.returncode == 0
    wait_for(works, "connections are served again", 60)


def test_I5_a_live_session_outlives_the_operator(echo):
    client = echo.request()
    assert " 101 " in client.receive_head()
    client.receive()
    os.kill(echo.ready["operatorPid"], signal.SIGSTOP)
    try:
        client.send(TEXT, b"alone")
        client.expect(TEXT, b"alone")
    finally:
        os.kill(echo.ready["operatorPid"], signal.SIGCONT)


def test_U01_a_ready_file_is_written_when_connections_are_served(echo):
    assert set(echo.ready) >= {"url", "tryUrl", "kubeconfig", "pid"}
    assert json.loads((echo.folder / "ready").read_text())["url"] == echo.url

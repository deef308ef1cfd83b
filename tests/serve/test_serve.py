"""The life of `espalier serve`: readiness, keys, locks, options, draining; and `env`, `notebook-setup`."""

import http.client
import json
import os
import pathlib
import shlex
import signal
import socket
import stat
import subprocess
import threading

import boto3
import pytest
from botocore.exceptions import ClientError
from harness.server import program

NO_KEYS = {"ESPALIER_ROOT_ACCESS_KEY_ID": None, "ESPALIER_ROOT_SECRET_ACCESS_KEY": None}


def run(*arguments, environment=None):
    values = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ESPALIER_"))} | (environment or {})
    return subprocess.run([str(program("espalier")), *map(str, arguments)], env=values, capture_output=True, text=True,
                          timeout=30, check=False)


def test_ready_line_is_exact_and_alone_on_stdout(tmp_path):
    process = subprocess.Popen([str(program("espalier")), "serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "d")],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = process.stdout.readline()
        port = int(line.rsplit(":", 1)[1])
        assert line == f"Espalier is ready at http://127.0.0.1:{port}\n"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/_espalier/health")
        answer = connection.getresponse()
        assert answer.status == 200 and json.loads(answer.read()) == {"status": "ok"}
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert process.stdout.read() == ""


def test_first_start_makes_a_key_pair_that_stays(server_factory, tmp_path):
    server = server_factory(environment=NO_KEYS, data_dir=tmp_path / "deep" / "data")
    key_file = tmp_path / "deep" / "data" / "root_key.json"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    pair = json.loads(key_file.read_text())
    assert len(pair["access_key_id"]) == 20 and len(pair["secret_access_key"]) == 40

    def identity(secret):
        return boto3.client("sts", endpoint_url=server.endpoint_url, region_name="us-east-1",
                            aws_access_key_id=pair["access_key_id"], aws_secret_access_key=secret).get_caller_identity()

    assert identity(pair["secret_access_key"])["Account"] == "123456789012"
    with pytest.raises(ClientError):
        identity("wrong")
    server.restart()
    assert json.loads(key_file.read_text()) == pair
    assert identity(pair["secret_access_key"])["Arn"].endswith(":assumed-role/LocalSageMakerRole/local")
    assert pair["secret_access_key"] not in server.log()


def test_env_prints_exports_for_a_shell(server_factory, tmp_path):
    server = server_factory(environment=NO_KEYS, data_dir=tmp_path / "data")
    host, port = server.host_port
    done = run("env", "--data", tmp_path / "data", "--listen", f"{host}:{port}")
    assert done.returncode == 0, done.stderr
    values = dict(shlex.split(line)[1].split("=", 1) for line in done.stdout.splitlines())
    assert set(values) == {"AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert values["AWS_ENDPOINT_URL"] == server.endpoint_url
    script = f'eval "$({program("espalier")} env --data {tmp_path / "data"} --listen {host}:{port})"; env | grep ^AWS_'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert f"AWS_SECRET_ACCESS_KEY={values['AWS_SECRET_ACCESS_KEY']}" in shell.stdout
    missing = run("env", "--data", tmp_path / "nothing")
    assert missing.returncode == 1 and "espalier serve" in missing.stderr


def test_one_server_per_data_directory(server_factory, tmp_path):
    server = server_factory(data_dir=tmp_path / "data")
    second = run("serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data")
    assert second.returncode == 1
    assert f"in use by another espalier serve (process {server.process.pid})" in second.stderr
    server.kill9()
    server.start()


@pytest.mark.parametrize("listen, says", [
    ("0.0.0.0:0", "--open"), ("[::]:0", "--open"), ("10.1.2.3:80", "--open"), ("nowhere", "HOST:PORT"),
    ("127.0.0.1:", "HOST:PORT"), ("127.0.0.1:70000", "HOST:PORT"), ("example.com:80", "HOST:PORT"), ("::1:80", "HOST:PORT")])
def test_refused_listen_addresses(tmp_path, listen, says):
    done = run("serve", "--open", "--listen", listen, "--data", tmp_path / "data")
    assert done.returncode == 1 and says in done.stderr
    assert not (tmp_path / "data").exists()


def test_port_in_use_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("serve", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--data", tmp_path / "data")
    assert done.returncode == 1 and "Address already in use" in done.stderr


def test_half_a_key_pair_in_the_environment_is_refused(tmp_path):
    done = run("serve", "--data", tmp_path / "data", environment={"ESPALIER_ROOT_ACCESS_KEY_ID": "AKIA"})
    assert done.returncode == 1 and "set both" in done.stderr


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"access_key_id": 1, "secret_access_key": "x"}', "x" * 5000])
def test_damaged_key_file_is_not_replaced(tmp_path, content):
    data = tmp_path / "data"
    data.mkdir()
    (data / "root_key.json").write_text(content)
    done = run("serve", "--listen", "127.0.0.1:0", "--data", data)
    assert done.returncode == 1 and "key pair" in done.stderr
    assert (data / "root_key.json").read_text() == content


def test_config_file_and_flags(server_factory, tmp_path):
    config = tmp_path / "espalier.toml"
    config.write_text('account = "111122223333"\nopen = true\n[http]\nworkers = 2\nidle_timeout_seconds = 0.3\n')

    def account_of(server):
        return boto3.client("sts", endpoint_url=server.endpoint_url, region_name="us-east-1", aws_access_key_id="a",
                            aws_secret_access_key="b").get_caller_identity()["Account"]

    server = server_factory(flags=("--config", str(config)))
    assert account_of(server) == "111122223333"
    with socket.create_connection(server.host_port, timeout=10) as idle:
        assert idle.recv(1) == b""
    assert account_of(server_factory(flags=("--config", str(config), "--account", "444455556666"))) == "444455556666"


@pytest.mark.parametrize("text, says", [
    ("lisen = 'x'", "no setting called 'lisen'"), ("[http]\nthreads = 2", "no setting called 'http.threads'"),
    ("[http]\nworkers = 0", "http.workers must be"), ("[http]\nworkers = '2'", "http.workers must be"),
    ("open = 1", "open must be true or false"), ("account = '12'", "12 digits"), ("open = ", ":1:"),
    ("[http]\n\nidle_timeout_seconds = -1", ":3: http.idle_timeout_seconds must be")])
def test_wrong_config_files(tmp_path, text, says):
    config = tmp_path / "espalier.toml"
    config.write_text(text)
    done = run("serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data", "--config", config)
    assert done.returncode == 1 and says in done.stderr, done.stderr


def test_missing_config_file(tmp_path):
    done = run("serve", "--config", tmp_path / "none.toml", "--data", tmp_path / "data")
    assert done.returncode == 1 and "none.toml" in done.stderr


def test_drain_answers_what_is_in_flight(server_factory):
    server = server_factory(flags=("--open",))
    half = socket.create_connection(server.host_port, timeout=20)
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    head = (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
            % len(body))
    half.sendall(head + body[:10])
    idle = socket.create_connection(server.host_port, timeout=20)
    idle.sendall(b"GET /_espalier/health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" in idle.recv(65536)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    assert idle.recv(1) == b""
    half.sendall(body[10:])
    answer = b""
    while part := half.recv(65536):
        answer += part
    assert answer.startswith(b"HTTP/1.1 200 OK") and b"Connection: close" in answer
    stopper.join(20)
    assert not stopper.is_alive()


def test_low_limit_of_open_files(tmp_path):
    """Fewer connections are taken, with a warning, instead of a server that runs out of descriptors."""
    command = f"ulimit -n 700; exec {program('espalier')} serve --open --listen 127.0.0.1:0 --data {tmp_path / 'data'}"
    process = subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        open_ones = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(350)]
        for connection in open_ones:
            connection.sendall(b"GET /_espalier/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert all(b" 200 OK" in connection.recv(4096) for connection in open_ones)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as one_more:
            assert b" 503 " in one_more.recv(4096)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    log = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert any(line["message"].startswith("the limit of open files") and line["connections_max"] == 350 for line in log)


def test_notebook_setup(tmp_path):
    path = tmp_path / "metadata" / "resource-metadata.json"
    first = run("notebook-setup", "--path", path, "--account", "111122223333", "--region", "eu-west-1")
    assert first.returncode == 0 and str(path) in first.stdout and f"rm {path}" in first.stdout
    assert json.loads(path.read_text()) == {
        "ResourceArn": "arn:aws:sagemaker:eu-west-1:111122223333:notebook-instance/local", "ResourceName": "local",
        "ExecutionRoleArn": "arn:aws:iam::111122223333:role/LocalSageMakerRole"}
    again = run("notebook-setup", "--path", path, "--account", "111122223333", "--region", "eu-west-1")
    assert again.returncode == 0 and "nothing changed" in again.stdout
    other = run("notebook-setup", "--path", path)
    assert other.returncode == 1 and "--force" in other.stderr
    assert run("notebook-setup", "--path", path, "--force").returncode == 0
    assert "123456789012" in path.read_text()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_sagemaker_sdk_reads_what_notebook_setup_wrote(server, tmp_path):
    """get_execution_role() of SDK 2 without any call to the real STS."""
    path = tmp_path / "resource-metadata.json"
    assert run("notebook-setup", "--path", path).returncode == 0
    code = (f"import sagemaker.session as s; s.NOTEBOOK_METADATA_FILE = {str(path)!r}; import sagemaker;"
            "print('role', sagemaker.get_execution_role(sagemaker.Session(default_bucket='b')))")
    import sys
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | server.client_environment(), capture_output=True,
                          text=True, timeout=60, check=False)
    assert "role arn:aws:iam::123456789012:role/LocalSageMakerRole" in done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("serve", "--nonsense"), ("serve", "--account", "12")])
def test_wrong_usage_ends_with_two(arguments):
    assert run(*arguments).returncode == 2


@pytest.mark.parametrize("command", ["serve", "env", "notebook-setup"])
def test_help_has_an_example(command):
    done = run(command, "--help")
    assert done.returncode == 0 and "Example:" in done.stdout



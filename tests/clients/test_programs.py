"""`espalier serve` and `espalier env` as a person at a shell meets them: keys, open mode, refusals, the end."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from datetime import datetime, timezone

import pytest
from harness.clients import Clients, make_session
from harness.server import ROOT, program
from harness.signing import UNSIGNED, V4, Keys
from harness.wire.connection import Connection

NO_KEYS = {"ESPALIER_ROOT_ACCESS_KEY_ID": None, "ESPALIER_ROOT_SECRET_ACCESS_KEY": None}


def run(*arguments, environment=None, timeout=20):
    values = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ESPALIER_"))} | (environment or {})
    return subprocess.run([program("espalier"), *map(str, arguments)], env=values, capture_output=True, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL)


def exports(text: str) -> dict[str, str]:
    return dict(re.findall(r"""^export (\w+)=['"]?([^'"\n]*)['"]?$""", text, re.MULTILINE))


def test_the_first_start_makes_a_key_pair_and_env_prints_it(server_factory):
    server = server_factory(environment=NO_KEYS)
    printed = run("env", "--data", server.data_dir)
    assert printed.returncode == 0, printed.stderr
    values = exports(printed.stdout)
    assert values["AWS_ENDPOINT_URL"] == server.endpoint_url
    assert values["AWS_DEFAULT_REGION"] == "us-east-1"
    server.access_key_id, server.secret_access_key = values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"]
    Clients(server).s3.list_buckets()
    for folder, _, files in os.walk(server.data_dir):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                if values["AWS_SECRET_ACCESS_KEY"].encode() in file.read():
                    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, f"{path} shows the secret to others"
    assert values["AWS_SECRET_ACCESS_KEY"] not in server.log()


def test_the_key_pair_stays_over_restarts(server_factory):
    server = server_factory(environment=NO_KEYS)
    before = exports(run("env", "--data", server.data_dir).stdout)
    server.restart()
    after = exports(run("env", "--data", server.data_dir).stdout)
    assert before == after and before["AWS_SECRET_ACCESS_KEY"]


def test_a_shell_can_evaluate_env(server_factory):
    server = server_factory(environment=NO_KEYS)
    done = subprocess.run(["sh", "-c", 'eval "$("$0" env --data "$1")" && echo "$AWS_ENDPOINT_URL"', program("espalier"),
                           server.data_dir], capture_output=True, text=True, timeout=20)
    assert done.stdout.strip() == server.endpoint_url, done.stderr


def test_open_mode_takes_any_key(server_factory):
    server = server_factory(flags=("--open",))
    session = make_session(server, access_key_id="anything", secret_access_key="at all")
    session.client("s3", endpoint_url=server.endpoint_url).create_bucket(Bucket="open-bucket")
    assert session.client("sagemaker", endpoint_url=server.endpoint_url).list_models()["Models"] == []


def test_open_mode_is_refused_beyond_loopback(tmp_path):
    done = run("serve", "--open", "--listen", "0.0.0.0:0", "--data", tmp_path / "data")
    assert done.returncode not in (0, None) and "--open" in (done.stdout + done.stderr)


@pytest.mark.parametrize("arguments, word", [
    (("serve", "--lisen", "127.0.0.1:0"), "lisen"), (("serve", "--listen", "nonsense"), "nonsense"),
    (("serve", "--listen", "127.0.0.1:99999"), "99999"), (("frobnicate",), "ubcommand"),
])
def test_wrong_use_is_told_and_ends_with_2_or_1(tmp_path, arguments, word):
    if arguments[0] == "serve":
        arguments = (*arguments, "--data", tmp_path / "data")
    done = run(*arguments)
    assert done.returncode in (1, 2) and word in done.stdout + done.stderr


def test_a_port_in_use_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("serve", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--data", tmp_path / "data")
    assert done.returncode == 1 and "in use" in done.stdout + done.stderr


def test_two_servers_can_not_share_a_data_directory(server_factory):
    first = server_factory()
    done = run("serve", "--listen", "127.0.0.1:0", "--data", first.data_dir)
    assert done.returncode == 1 and str(first.data_dir) in done.stdout + done.stderr
    Clients(first).s3.list_buckets()


def test_an_unusable_data_directory_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    done = run("serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "file" / "data")
    assert done.returncode == 1 and str(tmp_path / "file") in done.stdout + done.stderr


def test_sigterm_lets_a_request_in_flight_finish(server_factory, unique):
    server = server_factory()
    s3 = Clients(server).s3
    s3.create_bucket(Bucket=unique)

    host, port = server.host_port
    headers = {"Host": f"{host}:{port}", "x-amz-content-sha256": UNSIGNED, "Content-Length": "200000"}
    signer = V4(Keys(server.access_key_id, server.secret_access_key), "s3", server.region, datetime.now(timezone.utc))
    signer.authorize("PUT", f"/{unique}/k", headers, UNSIGNED)
    head = f"PUT /{unique}/k HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    connection = Connection(host, port)
    connection.send(head.encode() + b"x" * 100_000)
    Clients(server).s3.list_buckets()  # A later request was answered, so the head above has been read.
    ending = threading.Thread(target=server.stop)
    ending.start()
    connection.send(b"x" * 100_000)
    assert connection.read_answer("PUT").status == 200
    connection.close()
    ending.join(30)
    server.start()
    assert Clients(server).s3.head_object(Bucket=unique, Key="k")["ContentLength"] == 200_000


def test_train_takes_pairs_behind_a_flag_of_several_values(tmp_path):
    (tmp_path / "rows.libsvm").write_text("0 0:0.1\n1 0:0.9\n")
    model = tmp_path / "m.json"
    done = run("train", "--model", model, "--train", tmp_path / "rows.libsvm", "num_round=2", "objective=binary:logistic")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[0]\ttrain-logloss:") and model.exists()


def test_a_mistyped_feature_index_does_not_decide_over_the_memory(tmp_path):
    (tmp_path / "rows.libsvm").write_text("1 2147483000:1\n0 1:2\n")
    done = run("train", "--train", tmp_path / "rows.libsvm", "--model", tmp_path / "m.json", "num_round=1")
    assert done.returncode == 1
    assert "rows.libsvm, line 1, column 3" in done.stderr and "4194303" in done.stderr


@pytest.mark.parametrize("model, word", [("no-such-folder/m.ubj", "no folder"), (".", "is not a file"), ("pipe", "is not a file")])
def test_train_tells_before_the_work_that_it_can_not_write_the_model(tmp_path, model, word):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "rows.libsvm").write_text("0 0:0.1\n1 0:0.9\n")
    done = run("train", "--model", tmp_path / model, "--train", tmp_path / "rows.libsvm", "num_round=2")
    assert done.returncode == 1 and word in done.stderr
    assert done.stdout == "", "it trained first"
    assert (tmp_path / "pipe").is_fifo()


def test_csv_given_as_libsvm_is_told_and_a_full_disk_too(tmp_path):
    (tmp_path / "rows.csv").write_text("0,0.1\n1,0.9\n")
    model = tmp_path / "m.ubj"
    assert run("train", "--model", model, "--train", tmp_path / "rows.csv", "--content-type", "csv", "num_round=2").returncode == 0
    done = run("predict", "--model", model, "--data", tmp_path / "rows.csv")
    assert done.returncode == 1 and "If the data is CSV" in done.stderr and done.stdout == ""
    for arguments in (("model", "show", model), ("predict", "--model", model, "--data", tmp_path / "rows.csv",
                                                 "--content-type", "csv", "--labeled")):
        with open("/dev/full", "w") as full:
            done = subprocess.run([program("espalier"), *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
        assert done.returncode == 1 and "No space left" in done.stderr


def test_help_teaches():
    printed = run("--help")
    assert printed.returncode == 0
    for word in ("serve", "env", "notebook-setup", "train", "predict", "model"):
        assert word in printed.stdout
        assert run(word, "--help").returncode == 0


def test_the_first_requests_of_the_readme_work(server_factory):
    """Its curl lines as they stand, and its Python, in a shell that has evaluated `espalier env`."""
    server = server_factory(environment=NO_KEYS)
    text = (ROOT / "README.md").read_text()
    shell = [line.strip() for line in text.splitlines() if line.startswith(("    curl ", "    keys="))]
    assert len(shell) == 4
    script = 'eval "$("$0" env --data "$1")"\n' + "\n".join(shell).replace("curl ", "curl -sS --fail-with-body ")
    done = subprocess.run(["sh", "-ec", script, program("espalier"), server.data_dir], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "assumed-role" in done.stdout and "<Name>first</Name>" in done.stdout
    python = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    (server.data_dir.parent / "train.libsvm").write_text("1 0:1\n")
    values = exports(run("env", "--data", server.data_dir).stdout)
    done = subprocess.run([sys.executable, "-c", python], cwd=server.data_dir.parent, capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, **server.client_environment()) | values)
    assert done.returncode == 0 and done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("instances", [1, 2])
def test_train_writes_the_seconds_of_its_stages(tmp_path, instances):
    for part in range(2):
        (tmp_path / f"rows{part}.libsvm").write_text("".join(f"{i % 2} 1:{i} 2:{i * 7 % 5}\n" for i in range(50)))
    command = ["train", "--train", tmp_path / "rows0.libsvm", tmp_path / "rows1.libsvm", "--model", tmp_path / "m.json",
               "--instances", instances, "--timings", tmp_path / "timings.json", "num_round=3", "objective=binary:logistic"]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    timings = json.loads((tmp_path / "timings.json").read_text())
    stages = [timings[f"{stage}_seconds"] for stage in ("load", "cuts", "bins", "rounds", "save")]
    assert all(seconds >= 0 for seconds in stages) and 0 < sum(stages) <= timings["total_seconds"] * 1.001
    assert timings["num_rounds"] == 3 and timings["peak_memory_bytes"] > 1_000_000
    assert (timings["bytes_sent"] > 0) is (instances == 2)
    refused = run(*command[:-4], "--timings", tmp_path / "no" / "folder.json", "num_round=3")
    assert refused.returncode == 1 and "--timings: cannot write" in refused.stderr

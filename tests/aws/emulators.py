"""DynamoDB Local and ElasticMQ, started on free ports of a network of our own (tests/aws/isolated).

As a command: `emulators.py COMMAND…` starts both, runs the command with their addresses in the environment, and
stops them. So several pytest workers share one pair."""

import os
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "aws"
DYNAMODB, ELASTICMQ = CACHE / "dynamodb-3.1.0", CACHE / "elasticmq-1.7.1"
VARIABLES = {"dynamodb": "SPILLWAY_TEST_DYNAMODB", "sqs": "SPILLWAY_TEST_SQS"}

ELASTICMQ_SETTINGS = """include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {port}, sqs-limits = strict }}
rest-stats {{ enabled = false }}
pekko.loglevel = "ERROR"
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_isolated():
    return [name for _, name in socket.if_nameindex()] == ["lo"]


class Emulators:
    """Both, or those that the environment names."""

    def __init__(self):
        allow_many_files()
        self.processes, self.folder = [], None
        given = [os.environ.get(name) for name in VARIABLES.values()]
        if all(given):
            self.dynamodb, self.sqs = (self._address(text) for text in given)
            return
        assert is_isolated(), "DynamoDB Local listens on every interface: run this under tests/aws/isolated"
        for folder in (DYNAMODB, ELASTICMQ):
            assert (folder / "complete").exists(), f"{folder} is missing: run script/aws-emulators first"
        self.folder = tempfile.TemporaryDirectory(prefix="emulators-")
        try:
            self.dynamodb = self._start_dynamodb()
            self.sqs = self._start_sqs()
            for address, process in zip((self.dynamodb, self.sqs), self.processes):
                self._wait(address, process)
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def _address(text):
        host, port = text.rsplit(":", 1)
        return host, int(port)

    def _start(self, name, command):
        log = open(os.path.join(self.folder.name, name + ".log"), "wb")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder.name))

    def _start_dynamodb(self):
        port = free_port()
        self._start("dynamodb", ["java", "-Xmx512m", "-XX:+UseSerialGC", f"-Djava.library.path={DYNAMODB}", "-cp", f"{DYNAMODB}/*",
                                 "software.amazon.dynamodb.services.local.main.ServerRunner", "-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)])
        return "127.0.0.1", port

    def _start_sqs(self):
        port = free_port()
        settings = pathlib.Path(self.folder.name) / "elasticmq.conf"
        settings.write_text(ELASTICMQ_SETTINGS.format(port=port))
        self._start("elasticmq", ["java", "-Xmx256m", "-XX:+UseSerialGC", f"-Dconfig.file={settings}", "-cp", f"{ELASTICMQ}/*", "org.elasticmq.server.Main"])
        return "127.0.0.1", port

    def _wait(self, address, process):
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(address, 1).close()
                return
            except OSError:
                logs = "".join(path.read_text(errors="replace")[-2000:] for path in pathlib.Path(self.folder.name).glob("*.log"))
                assert process.poll() is None, f"an emulator ended:\n{logs}"
                assert time.monotonic() < end, f"an emulator did not start:\n{logs}"
                time.sleep(0.05)

    def environment(self):
        return {VARIABLES["dynamodb"]: "%s:%d" % self.dynamodb, VARIABLES["sqs"]: "%s:%d" % self.sqs}

    def stop(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
        if self.folder:
            self.folder.cleanup()


def allow_many_files():
    """Each request that is under way takes four descriptors of this process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, most), most))


def main(command):
    emulators = Emulators()
    try:
        return subprocess.run(command, env={**os.environ, **emulators.environment()}).returncode
    finally:
        emulators.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

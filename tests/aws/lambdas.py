"""A small Lambda: functions with a pool of execution environments, each a process of the binary under test with a
runtime API of its own."""

import json
import os
import queue
import selectors
import signal
import socket
import subprocess
import threading
import time
import uuid

import wire

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
NEXT = "/2018-06-01/runtime/invocation/next"
INIT_ERROR = "/2018-06-01/runtime/init/error"
INIT_SECONDS = 10  # what Lambda gives initialisation


class Result:
    """How an invocation ended: `error` is empty, or "Unhandled" with its reason in the body."""

    def __init__(self, body, error="", cause="", ran_ms=0.0):
        self.body, self.error, self.cause, self.ran_ms = body, error, cause, ran_ms

    def json(self):
        return json.loads(self.body)


class Invocation:
    def __init__(self, payload, seconds):
        self.id, self.payload, self.seconds, self.results = str(uuid.uuid4()), payload, seconds, queue.SimpleQueue()
        self.began = None
        self.finished = None  # the answer, while the environment has not yet asked for the next


class Environment:
    """One process. Its thread serves the runtime API and notices its end."""

    def __init__(self, function):
        self.function = function
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ready, self.gone, self.lock, self.signal_lock = threading.Event(), threading.Event(), threading.Lock(), threading.Lock()
        self.waiting, self.current, self.failure, self.frozen = None, None, None, False
        environment = {**function.variables, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.listener.getsockname()[1]}"}
        self.started = time.monotonic()
        self.process = subprocess.Popen([function.binary], env=environment, cwd=function.folder, stdin=subprocess.DEVNULL, stdout=function.log, stderr=function.log)
        self.pid_descriptor = os.pidfd_open(self.process.pid)
        threading.Thread(target=self._serve, daemon=True).start()

    # --- the runtime API ---

    def _serve(self):
        streams, selector = {}, selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        selector.register(self.pid_descriptor, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self.listener:
                        connection, _ = self.listener.accept()
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        streams[connection] = wire.Stream(connection)
                        selector.register(connection, selectors.EVENT_READ)
                    elif key.fileobj == self.pid_descriptor:
                        return
                    else:
                        try:
                            self._requests(streams[key.fileobj])
                        except (wire.Broken, OSError, ValueError):
                            selector.unregister(key.fileobj)
                            streams.pop(key.fileobj).connection.close()
        finally:
            self._buried(streams, selector)

    def _buried(self, streams, selector):
        code = self.process.wait()
        self.gone.set()
        self.ready.set()
        selector.close()
        self.listener.close()
        for stream in streams.values():
            stream.connection.close()
        self._end(Result(b"", "Unhandled", f"Runtime.ExitError: the process ended with {code}"))
        with self.signal_lock:  # the number of a closed descriptor is soon another process's
            os.close(self.pid_descriptor)
            self.pid_descriptor = None

    def _requests(self, stream):
        self._request(stream)
        while stream.buffer:
            self._request(stream)

    def _request(self, stream):
        first, headers, body = stream.message()
        method, target, _ = first.split(" ")
        if (method, target) == ("GET", NEXT):
            with self.lock:
                current, self.waiting = self.current, stream.connection
                if self.function.freezes:  # Lambda freezes what has no work
                    self._freeze()
            self.ready.set()
            if current and current.finished:
                self._end(current.finished)
            elif current:
                self.function.complain("the runtime asked for the next invocation without an answer to the last")
            return
        status = self._answered(method, target, headers, body)
        stream.connection.sendall(wire.Response(status, [("Content-Type", "application/json")], b'{"status":"OK"}\n').encode())

    def _answered(self, method, target, headers, body):
        if (method, target) == ("POST", INIT_ERROR):
            self.failure = body
            return 202
        current = self.current
        parts = target.split("/")
        if method != "POST" or len(parts) != 6 or parts[:4] != NEXT.split("/")[:4]:
            return 404
        if not current or parts[4] != current.id or current.finished or parts[5] not in ("response", "error"):
            self.function.complain(f"the runtime answered {target}, which is not under way")
            return 400
        ran_ms = (time.monotonic() - current.began) * 1000
        if parts[5] == "response":
            current.finished = Result(body, ran_ms=ran_ms)
        else:
            kind = next((value for name, value in headers if name.lower() == "lambda-runtime-function-error-type"), "")
            current.finished = Result(body, "Unhandled", f"{kind}: {body.decode(errors='replace')[:300]}", ran_ms)
        # The caller has its answer at once; the environment is free when it asks for the next.
        current.results.put(current.finished)
        return 202

    def _end(self, result):
        with self.lock:
            current, self.current = self.current, None
        if not current:
            return
        if not current.finished:
            result.ran_ms = (time.monotonic() - current.began) * 1000
            current.results.put(result)
        self.function.released(self)

    # --- what Lambda does with it ---

    def _freeze(self):
        self.frozen = True
        self._signal(signal.SIGSTOP)

    def _thaw(self):
        if self.frozen:
            self.frozen = False
            self._signal(signal.SIGCONT)

    def _signal(self, number):
        with self.signal_lock:
            if self.pid_descriptor is not None:
                try:
                    signal.pidfd_send_signal(self.pid_descriptor, number)
                except ProcessLookupError:
                    pass

    def invoke(self, invocation):
        """Hands it over and waits for its end. Lambda kills an environment at the deadline."""
        self.ready.wait(INIT_SECONDS)
        with self.lock:
            if self.gone.is_set() or not self.waiting:
                failure = (self.failure or b"").decode(errors="replace")
                self._signal(signal.SIGKILL)
                return Result(b"", "Unhandled", f"Runtime.ExitError: initialisation failed {failure}")
            connection, self.waiting, self.current = self.waiting, None, invocation
            self._thaw()
            invocation.began = time.monotonic()
        deadline_ms = int((time.time() + invocation.seconds) * 1000)
        headers = [("Lambda-Runtime-Aws-Request-Id", invocation.id), ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
                   ("Lambda-Runtime-Invoked-Function-Arn", ARN + self.function.full_name),
                   ("Lambda-Runtime-Trace-Id", f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=0"),
                   ("Content-Type", "application/json")]
        try:
            connection.sendall(wire.Response(200, headers, invocation.payload).encode())
        except OSError:
            pass  # it has ended; the thread says so
        try:
            return invocation.results.get(timeout=invocation.seconds + 0.05)
        except queue.Empty:
            self.kill()
            result = invocation.results.get()
            result.error, result.cause = "Unhandled", f"Sandbox.Timedout: after {invocation.seconds} seconds"
            return result

    def kill(self):
        self._signal(signal.SIGKILL)

    def terminate(self, seconds=2):
        """As Lambda ends an environment that has extensions: SIGTERM, some time, SIGKILL. The exit code."""
        with self.lock:
            self._thaw()
            self._signal(signal.SIGTERM)
        if not self.gone.wait(seconds):
            self.kill()
        self.gone.wait(10)
        return self.process.returncode


class Function:
    """`invoke` takes a free environment or starts one, up to `limit` at once. With `dice`, environments die."""

    def __init__(self, name, full_name, binary, variables, folder, seconds, limit, memory_mb=128, dice=None, meter=None, freezes=True):
        self.name, self.full_name, self.binary, self.folder, self.seconds, self.limit = name, full_name, binary, folder, seconds, limit
        self.memory_mb, self.dice, self.meter, self.freezes = memory_mb, dice, meter, freezes
        self.variables = {"_HANDLER": name, "AWS_LAMBDA_FUNCTION_NAME": full_name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
                          "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023", "LAMBDA_TASK_ROOT": str(folder),
                          "TZ": ":UTC", "LANG": "en_US.UTF-8", **variables}
        self.log_path = os.path.join(folder, f"{name}.log")
        self.log = open(self.log_path, "ab")
        self.lock, self.slots = threading.Lock(), threading.Semaphore(limit)
        self.free, self.all, self.busy = [], set(), 0
        self.closed, self.complaints, self.causes, self.starts = False, [], [], 0

    def complain(self, text):
        self.complaints.append(text)

    def released(self, environment):
        with self.lock:
            if environment.gone.is_set() or self.closed:
                self.all.discard(environment)
            elif self.dice and self.dice.hits("recycled"):
                self.all.discard(environment)
                environment.kill()
            else:
                self.free.append(environment)

    def _take(self):
        with self.lock:
            if self.closed:
                raise wire.Broken("the function is closed")
            while self.free:
                environment = self.free.pop()
                if not environment.gone.is_set():
                    return environment
            environment = Environment(self)
            self.all.add(environment)
            self.starts += 1
            return environment

    def prewarm(self):
        """An environment ready before the first invocation (provisioned concurrency)."""
        environment = self._take()
        assert environment.ready.wait(INIT_SECONDS) and environment.waiting, environment.failure or open(self.log_path).read()[-2000:]
        with self.lock:
            self.free.append(environment)

    def invoke(self, payload, wait=True):
        """None where the limit is reached and `wait` is false: Lambda throttles."""
        if not self.slots.acquire(blocking=wait):
            return None
        try:
            invocation = Invocation(payload, self.seconds)
            environment = self._take()
            if self.dice and self.dice.hits("kills"):
                delay = self.dice.fraction() ** 3 * 0.3  # mostly soon: an invocation takes milliseconds
                threading.Timer(delay, lambda: environment.current is invocation and environment.kill()).start()
            result = environment.invoke(invocation)
        finally:
            self.slots.release()
        if self.meter:
            self.meter.add("invocations", self.name)
            self.meter.add("duration_ms", self.name, by=result.ran_ms)
        if result.error:
            self.causes.append(result.cause)
        return result

    def kill_all(self):
        """When it returns they are gone: the next invocation meets a new one, as Lambda sees to it."""
        with self.lock:
            doomed = list(self.all)
        for environment in doomed:
            environment.kill()
        for environment in doomed:
            assert environment.gone.wait(10)

    def cpu_seconds(self):
        """Of the processes that live, user and system."""
        total = 0
        with self.lock:
            for environment in self.all:
                try:
                    fields = open(f"/proc/{environment.process.pid}/stat").read().rpartition(")")[2].split()
                    total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                except OSError:
                    pass
        return total

    def close(self):
        """The exit codes of what was idle and got SIGTERM; what was busy is killed."""
        with self.lock:
            self.closed = True
            idle, busy = [one for one in self.free if not one.gone.is_set()], [one for one in self.all if one.current]
        for environment in busy:
            environment.kill()
        codes = [environment.terminate() for environment in idle]
        with self.lock:
            rest = list(self.all)
        for environment in rest:
            environment.kill()
            environment.gone.wait(10)
        self.log.close()
        return codes

"""The stack on the small AWS, with the interface of tests/e2e/harness.py's Server."""

import collections
import json
import os
import time

import jwt
from harness import ALL_SCOPES, SERVICES

import world
# SQS delays by whole seconds, and a cold start may take longer than the deadlines of one machine's tests.
LEAST_DEADLINE = "3s"


class AwsServer:
    """Settings are named as on the command line of `spillway serve`; those of the limits of a service become event
    sources with a batch size of one."""

    def __init__(self, emulators, folder, secret_file, services, settings, **more):
        self.secret_file, self.services = secret_file, services
        shape = more.pop("shape", None) or world.Shape()
        variables = {"SPILLWAY_ID_SECRET_FILE": str(self._id_secret(folder)), "SPILLWAY_RETRY_FIRST": "20ms", "SPILLWAY_RETRY_MAX": "200ms"}
        if more.get("authoriser"):
            variables["SPILLWAY_AUTHORIZER"] = "gateway"
        elif "jwks" not in settings:
            variables["SPILLWAY_JWT_SECRET_FILE"] = str(secret_file)
        for service in SERVICES:
            variables[f"SPILLWAY_{service.upper()}_URL"] = services.service_url(service)
        for name, value in settings.items():
            service, _, limit = name.partition("_")
            if limit == "concurrency":
                for channel in world.CHANNELS:
                    shape.batch[f"{service}-{channel}"], shape.queue_concurrency[f"{service}-{channel}"] = 1, value
            elif limit == "deadline":
                variables["SPILLWAY_" + name.upper()] = LEAST_DEADLINE if value.endswith("ms") else value
            elif value is not None:
                variables["SPILLWAY_" + name.upper()] = str(value)
        self.world = world.World(emulators, os.path.join(folder, f"aws-{time.monotonic_ns()}"), variables, shape=shape, **more)
        self.url, self.address, self.scheme = self.world.url, self.world.address, "http"
        self.finished = False

    @staticmethod
    def _id_secret(folder):
        path = os.path.join(folder, "id-secret")
        if not os.path.exists(path):
            with open(path, "w") as file:
                file.write("fedcba9876543210" * 3 + "\n")
        return path

    def token(self, customer="ada", scope=ALL_SCOPES, **claims):
        payload = {"sub": customer, "scope": scope, "exp": int(time.time()) + 3600, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, self.secret_file.read_text().rstrip("\n"), algorithm="HS256")

    @property
    def process(self):
        """One of those that call services."""
        call = self.world.functions["call"]
        with call.lock:
            return next(iter(call.all)).process

    def events(self):
        """The log so far, without the lines that are metrics."""
        return [line for line in self.world.logs() if "event" in line]

    def kill(self):
        """Every environment at once."""
        self.world.kill_all()

    def restarted(self):
        return self

    def finish(self):
        if self.finished:
            return
        self.finished = True
        wrong = self.world.close()
        assert not wrong, "\n".join(f"{times} x {text}" for text, times in collections.Counter(wrong).items())
        self.world.logs()  # every line is JSON: nothing else was written, no sanitizer spoke

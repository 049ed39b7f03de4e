"""The documents of the API (docs/openapi.json, docs/services-openapi.json) against the source and a live server."""

import copy
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse

import jsonschema
import openapi_spec_validator
import pytest
import referencing
import referencing.jsonschema

from harness import ALL_SCOPES, Client, operator, order, wait_until, wholesale

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = {name: json.loads((ROOT / "docs" / name).read_text()) for name in ("openapi.json", "services-openapi.json")}
ORDERS, SERVICES = DOCUMENTS["openapi.json"], DOCUMENTS["services-openapi.json"]
METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")

ROUTE = re.compile(r'\{ROUTE_\w+,\s*HTTP_(\w+),\s*"[^"]+",\s*"\w+ ([^"]+)",\s*SCOPE_(\w+),\s*BODY_(\w+)')
ROUTES = {(method.lower(), path): (scope, body) for method, path, scope, body in ROUTE.findall((ROOT / "src/gateway/route.c").read_text())}
PROBLEM = re.compile(r'\{(\d{3}), "([a-z-]+)",\s*"([^"]+)"\}')
PROBLEMS = {code: (int(status), title) for status, code, title in PROBLEM.findall((ROOT / "src/wire/problem.c").read_text())}
SCOPES = set(re.findall(r'"(orders:\w+)"', (ROOT / "src/gateway/auth.c").read_text()))


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def resolve(document, node):
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def validator(document, schema):
    """For a schema of the document: references are looked up there, formats are checked."""
    resource = referencing.Resource(contents=document, specification=referencing.jsonschema.DRAFT202012)
    registry = referencing.Registry().with_resource("urn:document", resource)

    def absolute(node):
        if isinstance(node, dict):
            return {key: "urn:document" + value if key == "$ref" and value.startswith("#") else absolute(value) for key, value in node.items()}
        return [absolute(item) for item in node] if isinstance(node, list) else node

    return jsonschema.Draft202012Validator(absolute(schema), registry=registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def closed(document):
    """The document with every object of an answer closed: a member that it does not name is then an error."""
    document = copy.deepcopy(document)

    def close(node):
        if isinstance(node, dict):
            if node.get("type") == "object" and "properties" in node and "allOf" not in node and "oneOf" not in node:
                node.setdefault("additionalProperties", False)
            for value in node.values():
                close(value)
        elif isinstance(node, list):
            for value in node:
                close(value)

    close(document["components"]["schemas"])
    return document


# --- the documents by themselves ---


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_openapi_3_1(name):
    assert DOCUMENTS[name]["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(DOCUMENTS[name], cls=openapi_spec_validator.OpenAPIV31SpecValidator)


def test_the_documents_are_what_the_script_writes():
    assert subprocess.run([sys.executable, ROOT / "script/make-openapi", "--check"]).returncode == 0, "script/make-openapi mends this"


def parts_with_examples(document, node, place=""):
    """Every parameter, header and media type with a schema: (place, schema, examples)."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from parts_with_examples(document, item, f"{place}/{index}")
    if not isinstance(node, dict):
        return
    if isinstance(node.get("schema"), dict):
        examples = [resolve(document, example)["value"] for example in node.get("examples", {}).values()]
        yield place, node["schema"], examples + ([node["example"]] if "example" in node else [])
    for key, value in node.items():
        if key not in ("schema", "schemas", "example", "examples"):
            yield from parts_with_examples(document, value, f"{place}/{key}")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_example_is_valid_and_no_body_lacks_one(name):
    document, checked = DOCUMENTS[name], 0
    for place, schema, examples in parts_with_examples(document, document):
        if "/content/" in place:
            assert examples, f"{place} has no example"
        for example in examples:
            validator(document, schema).validate(example)
            checked += 1
    assert checked > 50


def test_requests_are_strict():
    for _, path, of in operations(ORDERS):
        body = of.get("requestBody")
        if not body or path.startswith("/v1/callbacks"):  # services may tell more than is asked
            continue
        schema = body["content"]["application/json"]["schema"]
        for example in body["content"]["application/json"]["examples"].values():
            assert not validator(ORDERS, schema).is_valid({**example["value"], "gift": 1}), path


# --- against the source ---


def test_every_route_is_described_and_no_other():
    assert len(ROUTES) >= 13
    assert set(ROUTES) == {(method, path) for method, path, _ in operations(ORDERS)}


def test_security_and_bodies_are_those_of_the_routes():
    wanted = {"READ": [["orders:read"], ["orders:operate"]], "WRITE": [["orders:write"]], "OPERATE": [["orders:operate"]], "NONE": []}
    for method, path, of in operations(ORDERS):
        scope, body = ROUTES[method, path]
        assert [entry["accessToken"] for entry in of["security"] if "accessToken" in entry] == wanted[scope], path
        assert (of.get("requestBody") or {}).get("required") == {"NONE": None, "OPTIONAL": False, "REQUIRED": True}[body], path
        assert {"401", "403", "429"} <= set(of["responses"]) or scope == "NONE", path


def codes_of(response):
    return set(response["content"]["application/problem+json"]["examples"])


def test_every_problem_is_described_and_no_other():
    seen = set()
    for _, path, of in operations(ORDERS):
        for status, response in of["responses"].items():
            response = resolve(ORDERS, response)
            if int(status) < 400:
                continue
            for code in codes_of(response):
                assert PROBLEMS[code][0] == int(status), f"{path}: {code}"
                seen.add(code)
    assert seen == set(PROBLEMS)
    assert set(ORDERS["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == set(PROBLEMS)


def test_every_scope_is_described_and_no_other():
    assert SCOPES == {"orders:read", "orders:write", "orders:wholesale", "orders:operate"}
    described = json.dumps(ORDERS)
    assert SCOPES == set(re.findall(r"orders:[a-z]+", described))


def test_the_version_is_the_programs(program):
    assert program.run("version").stdout.split()[1] == ORDERS["info"]["version"] == SERVICES["info"]["version"]


# --- against a live server ---


def test_the_server_serves_the_document(ada):
    response = ada.http.get("/openapi.json", headers={"Authorization": ""})
    assert response.headers["Content-Type"] == "application/json"
    assert response.content == (ROOT / "docs/openapi.json").read_bytes(), "the program was built before the document changed: make"


def answers_of(backend, services):
    """One answer of every kind, with its operation's path."""
    ada, boss = Client(backend, "ada"), operator(backend)
    services.answers["ship"] = [{"status": 400, "body": {"reason": "bad_country"}}, {"status": 409, "body": {"reason": "no_carrier"}}, {"body": {"reference": "shp"}}]
    create = lambda body, **more: ("/v1/orders", ada.create(body, **more))
    waiting, body = ada.created(wholesale(payment={"reference": "pay-w"}), key="one"), order(payment={"reference": "pay-r"})
    ada.settled(waiting)
    yield create(body, key="two")
    yield create(body, key="two")
    yield create(order(total=1), key="two")
    yield create(order(), key="two")
    yield create(body, key="three")
    yield create(order(total=1, gift=2))
    yield create({})
    yield "/v1/orders", ada.http.post("/v1/orders", content=b"{", headers={"Content-Type": "application/json", "Idempotency-Key": "x"})
    yield "/v1/orders", ada.http.post("/v1/orders", json=body)
    yield "/v1/orders", ada.http.post("/v1/orders", content=b"{}", headers={"Idempotency-Key": "x"})
    yield "/v1/orders", ada.http.post("/v1/orders", content=b"x" * 300_000)
    yield "/v1/orders", ada.http.get("/v1/orders")
    yield "/v1/orders", ada.http.get("/v1/orders?limit=1")
    yield "/v1/orders", ada.http.get("/v1/orders?limit=0")
    yield "/v1/orders", ada.http.get("/v1/orders?customer=ada")
    yield "/v1/orders", ada.http.get("/v1/orders", headers={"Authorization": ""})
    yield "/v1/orders", ada.http.get("/v1/orders", headers={f"X-{i}": "x" * 980 for i in range(19)})
    refused = ada.create(body, key="two").json()["id"]
    assert ada.settled(refused)["status"] == "rejected"
    for id in (waiting, refused):
        yield "/v1/orders/{id}", ada.get(id)
        yield "/v1/orders/{id}", ada.get(id, headers={"If-None-Match": "*", "Prefer": "wait=1"})
        yield "/v1/orders/{id}/events", ada.http.get(f"/v1/orders/{id}/events")
    yield "/v1/orders/{id}", ada.get("ord_x")
    yield "/v1/orders/{id}/cancel", ada.cancel(refused)
    yield "/v1/orders/{id}/cancel", ada.cancel(waiting, json={"reason": 7})
    yield "/v1/attention", boss.http.get("/v1/attention?limit=1")
    yield "/v1/attention", ada.http.get("/v1/attention")
    yield "/v1/orders/{id}/steps/{step}/retry", boss.retry(waiting, "record")
    yield "/v1/orders/{id}/steps/{step}/skip", boss.skip(waiting, "ship")
    yield "/v1/orders/{id}/steps/{step}/skip", boss.skip(waiting, "ship", reason="by hand", applied=True, reference="C-17")
    yield "/v1/orders/{id}", boss.get(waiting)
    yield "/v1/callbacks/{order}/{command}", ada.http.post(f"/v1/callbacks/{waiting}/ship?token=x", json={"outcome": "done", "reference": "x"})
    url = urllib.parse.urlsplit(services.of("ship", waiting)[0].callback_url)
    for outcome in ({"outcome": "refused"}, {"outcome": "maybe"}):
        yield "/v1/callbacks/{order}/{command}", ada.http.post(f"{url.path}?{url.query}", json=outcome)
    url = urllib.parse.urlsplit(services.of("reserve", waiting)[0].callback_url)
    yield "/v1/callbacks/{order}/{command}", ada.http.post(f"{url.path}?{url.query}", json={"outcome": "done", "reference": "x"})
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        yield path, ada.http.get(path)
        yield path, ada.http.get(path + "?x=1")


def test_answers_have_no_member_and_no_header_that_is_not_described(backend, services):
    document, seen = closed(ORDERS), set()
    for path, response in answers_of(backend, services):
        of = document["paths"][path][response.request.method.lower()]
        where = f"{response.request.method} {path} {response.status_code}"
        assert str(response.status_code) in of["responses"], where
        described = resolve(document, of["responses"][str(response.status_code)])
        names = {name.lower() for name in described.get("headers", {})}
        assert set(response.headers) - names <= {"date", "content-type", "content-length", "connection"}, where
        if "content" in described:
            media = described["content"][response.headers["Content-Type"]]
            of_text = response.headers["Content-Type"].startswith("text/")
            validator(document, media["schema"]).validate(response.text if of_text else response.json())
        else:
            assert response.content == b"", where
        if response.status_code >= 400:
            seen.add(response.json()["code"])
    untested = {"step-unsettled", "payment-not-proven", "rate-limited", "internal", "overloaded", "method-not-allowed"}
    assert seen == set(PROBLEMS) - untested


def test_what_services_are_sent_is_described(server, services):
    backend = server(services, fulfilment_idempotency="lookup")
    ada = Client(backend, "ada")
    services.answers["ship"] = [{"status": 500}, {"status": 409, "body": {"reason": "no_carrier"}}]
    services.answers["record"] = [{"body": {"reference": "rec"}}, {"body": {"reference": "rec"}}, {"status": 409, "body": {}}]
    for body in (order(), wholesale(), order()):
        ada.settled(ada.created(body))
    services.answers["ship"] = [{"body": {"reference": "shp"}}]
    services.answers["record"] = [{"status": 422, "body": {"reason": "closed"}, "delay": 0.3}]
    ada.settled(ada.created(wholesale(payment={"reference": "pay-recall"}, terms_days=0)))
    assert services.lookups
    seen = set()
    for call in services.calls:
        of = SERVICES["paths"][f"/{call.command}"]
        assert call.service in of["servers"][0]["url"].lower()
        validator(SERVICES, of["post"]["requestBody"]["content"]["application/json"]["schema"]).validate(call.body)
        for parameter in of["post"]["parameters"]:
            validator(SERVICES, parameter["schema"]).validate(call.headers[parameter["name"]])
        seen.add(call.command)
    assert seen == {path[1:] for path in SERVICES["paths"] if path != "/commands/{key}"}
    for key in services.lookups:
        validator(SERVICES, SERVICES["paths"]["/commands/{key}"]["get"]["parameters"][0]["schema"]).validate(key)


# What schemathesis is not asked, and why:
#   positive_data_acceptance   data that fits the schema is refused where rules go beyond a schema: the total must
#                              add up, an order or a cursor must exist
LEFT_OUT = "positive_data_acceptance"


def schemathesis(backend, token, folder, configuration=""):
    (folder / "schemathesis.toml").write_text(configuration)
    command = [sys.executable, "-c", "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())",
               "--config-file", folder / "schemathesis.toml", "run", ROOT / "docs/openapi.json", "--url", backend.url,
               "--header", f"Authorization: Bearer {token}", "--checks", "all", "--exclude-checks", LEFT_OUT,
               "--max-examples", "25", "--report-junit-path", folder / "report.xml", "--seed", "1", "--generation-deterministic", "--continue-on-failure", "--no-color"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110)
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
    assert re.search(r"\d{3,} generated, \d{3,} passed", result.stdout), result.stdout[-2000:]


def test_schemathesis_as_a_customer(backend, folder):
    schemathesis(backend, backend.token("ada", ALL_SCOPES), folder)


def test_schemathesis_as_an_operator_of_an_order_that_waits(backend, services, folder):
    """With the id of an order that is there, and the token of a callback that is awaited."""
    services.answers["ship"] = [{"status": 202}]
    services.answers["record"] = [{"status": 400, "body": {"reason": "closed"}}]
    ada = Client(backend, "ada")
    id = ada.created()
    ada.settled(id)
    wait_until(lambda: ada.step(id, "ship")["state"] == "pending")
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(services.of("ship", id)[0].callback_url).query)["token"][0]
    schemathesis(backend, backend.token("boss", "orders:operate orders:read orders:write"), folder, f"""
[parameters]
"path.id" = "{id}"
"path.order" = "{id}"
"path.command" = "ship"
[auth.openapi]
callbackToken = {{ api_key = "{token}" }}
""")
    reached = re.findall(r'route="(\w+ /v1/[^"]+)",status="(\d+)"', ada.http.get("/metrics").text)
    for method, path in ROUTES:
        if path.startswith("/v1"):
            route = f"{method.upper()} {path}"
            assert {status for name, status in reached if name == route} - {"401", "403", "404"}, f"{route}: its logic was not reached"

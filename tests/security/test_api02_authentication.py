"""API2:2023 Broken Authentication: who calls is what a good token says, at the moment of the call."""

import json
import time

import httpx
import jwt
import pytest

from harness import ALL_SCOPES, Client, PLAIN, wait_until
from outside import CALLERS, NOBODY, TABLE, call, call_route, token_of, waiting_order
from test_create import problem


@pytest.mark.parametrize("caller", ["none", "expired", "forged"])
def test_every_route_without_a_good_token(backend, services, caller):
    id = waiting_order(backend, services)
    for route, row in TABLE.items():
        answer = call_route(backend, route, caller, id)
        assert answer.status_code == row[CALLERS.index(caller)], (route, answer.text)
        if answer.status_code == 401:
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            problem(answer, 401, "unauthenticated")
    assert Client(backend).status(id) == "attention"


def test_a_refusal_tells_nothing_of_the_order(backend, ada):
    id = ada.created()
    for caller in ("none", "expired", "forged"):
        assert call(backend, "GET", f"/v1/orders/{id}", token_of(backend, caller)).content == \
            call(backend, "GET", f"/v1/orders/{NOBODY}", token_of(backend, caller)).content


def test_a_token_is_taken_from_the_authorization_header_alone(backend):
    token = backend.token()
    for more in ({"params": {"access_token": token}}, {"headers": {"Cookie": f"access_token={token}; Authorization=Bearer {token}"}},
                 {"headers": {"X-Authorization": f"Bearer {token}"}}, {"headers": {"X-Access-Token": token}}, {"headers": {"Proxy-Authorization": f"Bearer {token}"}},
                 {"headers": {"X-Forwarded-User": "ada", "X-Remote-User": "ada"}}):
        problem(call(backend, "GET", "/v1/orders", **more), 401, "unauthenticated")


def test_two_tokens_are_none(backend):
    both = [("Authorization", f"Bearer {backend.token('ada')}"), ("Authorization", f"Bearer {backend.token('bob')}")]
    problem(httpx.get(backend.url + "/v1/orders", headers=both, **PLAIN), 401, "unauthenticated")
    joined = {"Authorization": f"Bearer {backend.token('ada')}, Bearer {backend.token('bob')}"}
    problem(httpx.get(backend.url + "/v1/orders", headers=joined, **PLAIN), 401, "unauthenticated")


def test_a_token_that_was_good_expires_while_it_is_remembered(backend):
    """The leeway is 30 s: this one has some seconds left. The requests meanwhile keep it in the cache."""
    token = backend.token(exp=int(time.time()) - 26)
    assert call(backend, "GET", "/v1/orders", token).status_code == 200
    wait_until(lambda: call(backend, "GET", "/v1/orders", token).status_code == 401, 20, 0.2)


@pytest.mark.parametrize("header", [
    {"alg": "none"}, {"alg": "None"}, {"alg": "NONE"}, {"alg": "hs256"}, {"alg": "HS384"}, {"alg": "HS512"}, {"alg": "RS256"}, {"alg": ""}, {"alg": None},
    {"alg": ["HS256"]}, {"alg": "HS256", "crit": ["exp"]}, {"alg": "HS256", "crit": []}, {"alg": "HS256", "kid": "../../dev/null"},
    {"alg": "HS256", "kid": "x' OR '1'='1"}, {},
])
def test_the_header_chooses_neither_algorithm_nor_key(backend, header):
    secret = backend.secret_file.read_text().strip().encode()
    encode = lambda part: jwt.utils.base64url_encode(json.dumps(part).encode())
    signed = encode(header) + b"." + encode({"sub": "ada", "scope": ALL_SCOPES, "exp": int(time.time()) + 600})
    import hashlib, hmac
    for digest in (hashlib.sha256, hashlib.sha384, hashlib.sha512):
        token = (signed + b"." + jwt.utils.base64url_encode(hmac.digest(secret, signed, digest))).decode()
        problem(call(backend, "GET", "/v1/orders", token), 401, "unauthenticated")
    problem(call(backend, "GET", "/v1/orders", signed.decode() + "."), 401, "unauthenticated")


def test_keys_that_a_token_brings_along_are_not_used(backend):
    """jwk, jku, x5u and x5c in the header (RFC 8725 section 3.10)."""
    mine = "a secret that only the attacker knows, 32 bytes"
    jwk = {"kty": "oct", "k": jwt.utils.base64url_encode(mine.encode()).decode()}
    for header in ({"jwk": jwk}, {"jku": "http://127.0.0.1:1/jwks"}, {"x5u": "http://127.0.0.1:1/x"}, {"x5c": ["AAAA"]}):
        token = jwt.encode({"sub": "ada", "scope": ALL_SCOPES, "exp": int(time.time()) + 600}, mine, "HS256", headers=header)
        problem(call(backend, "GET", "/v1/orders", token), 401, "unauthenticated")


def test_a_claim_given_twice_refuses_the_token(backend):
    secret = backend.secret_file.read_text().strip()
    expires = int(time.time()) + 600
    for payload in (f'{{"sub":"bob","sub":"ada","exp":{expires},"scope":"orders:read"}}', f'{{"sub":"ada","exp":{expires - 9999},"exp":{expires},"scope":"orders:read"}}'):
        token = jwt.api_jws.encode(payload.encode(), secret, algorithm="HS256")
        problem(call(backend, "GET", "/v1/orders", token), 401, "unauthenticated")


def test_a_secret_too_short_to_hold_is_refused_at_the_start(program, folder, services):
    from outside import start_fails
    (folder / "short").write_text("x" * 31 + "\n")
    assert "32" in start_fails(program, folder, services, jwt_secret_file=folder / "short")


def test_nobody_starts_without_a_way_to_tell_who_calls(program, folder, services):
    from outside import start_fails
    assert "jwt-secret-file" in start_fails(program, folder, services, jwt_secret_file=None)

"""API Gateway and the load balancer: HTTP requests become events for the function api, its answers HTTP again.

shape: "http" (HTTP API, payload 2.0), "rest" (REST API, payload 1.0), "alb" and "alb-multi" (with multi-value
headers). With `jwks`, an HTTP API's JWT authoriser stands before the function."""

import base64
import datetime
import json
import time
import urllib.parse
import uuid

import jwt

import wire

PAYLOAD_BYTES_MAX = 6 * 1024 * 1024
HEADER_BYTES_MAX = {"http": 10240, "rest": 10240, "alb": 64 * 1024, "alb-multi": 64 * 1024}  # request line and header values
TEXT = ("text/", "application/json", "application/javascript", "application/xml", "application/problem+json")


def plain(status, message):
    return wire.Response(status, [("Content-Type", "application/json")], json.dumps({"message": message}).encode())


def body_of(request):
    """(text, whether it is base64). JSON that is not UTF-8 is given as base64, so that the function sees the bytes."""
    kind = (request.get("content-type") or "").lower()
    if not request.body:
        return None, False
    if kind.startswith(TEXT) or not kind:
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


class Front:
    def __init__(self, function, shape="http", jwks=None, issuer=None, audience=None):
        self.function, self.shape, self.jwks, self.issuer, self.audience = function, shape, jwks, issuer, audience
        self.requests, self.throttled, self.bytes_out = 0, 0, 0
        self.server = wire.Server(self._handle)
        self.url, self.address = self.server.url, self.server.address

    def close(self):
        self.server.close()

    def _handle(self, request):
        self.requests += 1
        claims = None
        if len(request.method) + len(request.target) + sum(len(value) for _, value in request.headers) > HEADER_BYTES_MAX[self.shape]:
            return plain(431, "Request Header Fields Too Large")
        if self.jwks:
            claims = self._claims(request)
            if claims is None:
                response = plain(401, "Unauthorized")
                response.headers.append(("WWW-Authenticate", "Bearer"))
                return response
        event = {"http": self._http_event, "rest": self._rest_event, "alb": self._alb_event, "alb-multi": self._alb_event}[self.shape](request, claims)
        payload = json.dumps(event).encode()
        if len(payload) > PAYLOAD_BYTES_MAX:
            return plain(413, "Request Entity Too Large")
        try:
            result = self.function.invoke(payload, wait=False)
        except wire.Broken:
            return None
        if result is None:
            self.throttled += 1
            return plain(503, "Service Unavailable")
        response = self._response(result, request.method == "HEAD")
        self.bytes_out += len(response.body)
        return response

    # --- requests ---

    def _headers(self, request):
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
        added = [("X-Amzn-Trace-Id", trace), ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Port", "443"), ("X-Forwarded-Proto", "https")]
        return [(name, value) for name, value in request.headers if name.lower() not in ("connection", "transfer-encoding", "keep-alive")] + added

    def _http_event(self, request, claims):
        """The path comes decoded, and ends at a question mark that was encoded in it: so does an HTTP API's."""
        path, _, query = request.target.partition("?")
        path = urllib.parse.unquote(path).partition("?")[0]
        headers = {}
        for name, value in self._headers(request):
            name = name.lower()
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        cookies = headers.pop("cookie", None)
        body, encoded = body_of(request)
        now = datetime.datetime.now(datetime.timezone.utc)
        context = {
            "accountId": "123456789012", "apiId": "rig0api", "domainName": headers.get("host", ""), "domainPrefix": "rig0api",
            "http": {"method": request.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": headers.get("user-agent", "")},
            "requestId": uuid.uuid4().hex[:16], "routeKey": "$default", "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"), "timeEpoch": int(now.timestamp() * 1000)}
        if claims is not None:
            context["authorizer"] = {"jwt": {"claims": {name: self._claim_text(value) for name, value in claims.items()}, "scopes": None}}
        event = {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers, "requestContext": context, "isBase64Encoded": encoded}
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
        if pairs:
            joined = {}
            for name, value in pairs:
                joined[name] = f"{joined[name]},{value}" if name in joined else value
            event["queryStringParameters"] = joined
        if cookies:
            event["cookies"] = cookies.split("; ")
        if body is not None:
            event["body"] = body
        return event

    @staticmethod
    def _claim_text(value):
        """An HTTP API gives every claim as text."""
        if isinstance(value, list):
            return "[" + " ".join(map(str, value)) + "]"
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _multi(self, pairs):
        found = {}
        for name, value in pairs:
            found.setdefault(name, []).append(value)
        return found

    def _rest_event(self, request, _claims):
        path, _, query = request.target.partition("?")
        headers = self._headers(request)
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
        body, encoded = body_of(request)
        now = datetime.datetime.now(datetime.timezone.utc)
        return {
            "resource": "/{proxy+}", "path": path, "httpMethod": request.method,
            "headers": dict(headers), "multiValueHeaders": self._multi(headers),
            "queryStringParameters": dict(pairs) or None, "multiValueQueryStringParameters": self._multi(pairs) or None,
            "pathParameters": {"proxy": path.lstrip("/")}, "stageVariables": None,
            "requestContext": {
                "accountId": "123456789012", "apiId": "rig0api", "domainName": request.get("host"), "domainPrefix": "rig0api", "extendedRequestId": "x=",
                "httpMethod": request.method, "identity": {"sourceIp": "127.0.0.1", "userAgent": request.get("user-agent")},
                "path": "/prod" + path, "protocol": "HTTP/1.1", "requestId": str(uuid.uuid4()), "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
                "requestTimeEpoch": int(now.timestamp() * 1000), "resourceId": "proxy", "resourcePath": "/{proxy+}", "stage": "prod"},
            "body": body, "isBase64Encoded": encoded}

    def _alb_event(self, request, _claims):
        """A load balancer hands the query over as it was sent, encoded."""
        path, _, query = request.target.partition("?")
        headers = [(name.lower(), value) for name, value in self._headers(request)]
        pairs = [tuple(part.partition("=")[::2]) for part in query.split("&")] if query else []
        body, encoded = body_of(request)
        event = {
            "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/rig/0123456789abcdef"}},
            "httpMethod": request.method, "path": path, "body": body or "", "isBase64Encoded": encoded}
        if self.shape == "alb-multi":
            return {**event, "multiValueHeaders": self._multi(headers), "multiValueQueryStringParameters": self._multi(pairs)}
        return {**event, "headers": dict(headers), "queryStringParameters": dict(pairs)}

    # --- answers ---

    def _response(self, result, head_only):
        broken = plain(500, "Internal Server Error") if self.shape == "http" else plain(502, "Internal server error")
        if result.error or len(result.body) > PAYLOAD_BYTES_MAX:
            return broken
        try:
            told = json.loads(result.body)
            body = told.get("body") or ""
            body = base64.b64decode(body, validate=True) if told.get("isBase64Encoded") else body.encode()
            headers = self._answer_headers(told)
            if self.shape == "http" and told.get("statusCode") is None:
                return broken
            return wire.Response(int(told["statusCode"]), headers, body, head_only)
        except (ValueError, KeyError, TypeError, AttributeError):
            return broken

    def _answer_headers(self, told):
        single, multi = told.get("headers") or {}, told.get("multiValueHeaders") or {}
        if self.shape == "http" and multi or self.shape == "alb" and multi or self.shape == "alb-multi" and single:
            raise ValueError("headers of another shape")
        for value in [*single.values(), *(value for values in multi.values() for value in values)]:
            if not isinstance(value, (str, int)) or "\n" in str(value):
                raise ValueError("a header that is no text")
        known = {name.lower() for name in multi}
        headers = [(name, str(value)) for name, value in single.items() if name.lower() not in known]
        headers += [(name, str(value)) for name, values in multi.items() for value in values]
        return [(name, value) for name, value in headers if name.lower() not in ("connection", "transfer-encoding")]

    # --- the JWT authoriser ---

    def _claims(self, request):
        scheme, _, token = (request.get("authorization") or "").partition(" ")
        try:
            header = jwt.get_unverified_header(token)
            if scheme.lower() != "bearer" or header.get("alg") not in ("RS256", "RS384", "RS512"):
                return None
            key = next(key for key in self.jwks["keys"] if key["kid"] == header.get("kid"))
            return jwt.decode(token, jwt.PyJWK(key).key, algorithms=["RS256", "RS384", "RS512"], issuer=self.issuer, audience=self.audience,
                              options={"require": ["exp"]})
        except (jwt.PyJWTError, StopIteration):
            return None

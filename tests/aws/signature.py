"""Checks Signature Version 4 as AWS does, with botocore's own arithmetic."""

import datetime
import hashlib
import hmac
import re
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

PATTERN = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$")
CLOCK_LEEWAY_S = 300


class Refused(Exception):
    """Not signed, or not as it should be: (AWS's error code, what is wrong)."""


class _Verifier(botocore.auth.SigV4Auth):
    """Signs the headers that the client signed, rather than those that botocore would."""

    def headers_to_sign(self, request):
        return request.headers


class Checker:
    def __init__(self, key_id, secret, token, region):
        self.key_id, self.token, self.region = key_id, token, region
        self.credentials = botocore.credentials.Credentials(key_id, secret, token)

    def check(self, request, url, services):
        """The service that the request is signed for, which must be one of `services`. `url` is what the client
        connected to, with the request's target."""
        text = request.get("authorization")
        if not text:
            raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
        match = PATTERN.match(text)
        if not match:
            raise Refused("IncompleteSignatureException", f"not a signature: {text}")
        key_id, day, region, service, signed, signature = match.groups()
        names = signed.split(";")
        self._check_scope(request, key_id, day, region)
        self._check_names(request, names)
        if service not in services:
            raise Refused("InvalidSignatureException", f"Credential should be scoped to correct service: {services}, not {service}")
        if not hmac.compare_digest(self._signature(request, url, service, names), signature):
            raise Refused("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
        return service

    def _check_scope(self, request, key_id, day, region):
        if key_id != self.key_id:
            raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
        if request.get("x-amz-security-token") != self.token:
            raise Refused("UnrecognizedClientException", "x-amz-security-token is missing or not the one that came with the key")
        if region != self.region:
            raise Refused("InvalidSignatureException", f"Credential should be scoped to a valid region, not {region}")
        stamp = request.get("x-amz-date") or ""
        try:
            moment = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        except ValueError:
            raise Refused("IncompleteSignatureException", f"x-amz-date is {stamp!r}") from None
        age = abs((datetime.datetime.now(datetime.timezone.utc) - moment).total_seconds())
        if age > CLOCK_LEEWAY_S or not stamp.startswith(day):
            raise Refused("InvalidSignatureException", f"Signature expired: {stamp}")

    @staticmethod
    def _check_names(request, names):
        if names != sorted(names):
            raise Refused("InvalidSignatureException", "SignedHeaders are not sorted")
        present = {name.lower() for name, _ in request.headers}
        needed = {"host"} | {name for name in present if name.startswith("x-amz-")}
        if missing := needed - set(names):
            raise Refused("InvalidSignatureException", f"'{', '.join(sorted(missing))}' must be a 'SignedHeader' in the AWS Authorization.")
        if missing := set(names) - present:
            raise Refused("InvalidSignatureException", f"signed, but not sent: {sorted(missing)}")

    def _signature(self, request, url, service, names):
        if request.get("x-amz-content-sha256") not in (None, hashlib.sha256(request.body).hexdigest()):
            raise Refused("InvalidSignatureException", "x-amz-content-sha256 is not that of the body")
        # botocore takes the host from the header here, and of the URL the path and query only.
        signed = botocore.awsrequest.AWSRequest(method=request.method, url=urllib.parse.urljoin(url, request.target), data=request.body)
        for name, value in request.headers:
            if name.lower() in names:
                signed.headers.add_header(name.lower(), value)
        signed.context["timestamp"] = request.get("x-amz-date")
        verifier = _Verifier(self.credentials, service, self.region)
        return verifier.signature(verifier.string_to_sign(signed, verifier.canonical_request(signed)), signed)

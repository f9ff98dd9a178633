"""A server on loopback that keeps files and speaks for every store: plain files, GCS, signed S3, the Hub."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from controller.ports import Chunks
from tests.loopback import answering


@dataclass(frozen=True)
class Answer:
    """A whole answer; ``Content-Length`` is added."""

    body: bytes = b""
    code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class ObjectServer:
    """Answers by path (as sent, without its query); ``asked`` are the requests: path with query, lower-case headers."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)  # AWS: access key to secret key; none: anybody reads
    bearer: str = ""  # what a request has to carry
    url: str = ""

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        self.asked.append((path, headers))
        if self.bearer and headers.get("authorization") != f"Bearer {self.bearer}":
            return Answer(b'{"error": {"errors": [{"reason": "authError"}]}}', 401)
        if self.accounts and not self._signed(path, headers):
            return Answer(b"<Error><Code>SignatureDoesNotMatch</Code><Message>canary</Message></Error>", 403)
        return self.answers.get(urlsplit(path).path, Answer(b"<Error><Code>NoSuchKey</Code></Error>", 404))

    def _signed(self, path: str, headers: Mapping[str, str]) -> bool:
        """Whether botocore's own signer, at the time that the request names, says the same."""
        said = headers.get("authorization", "")
        key, _, scope = said.partition("Credential=")[2].partition("/")
        if key not in self.accounts:
            return False
        request = AWSRequest(method="GET", url=self.url + path)
        request.context["timestamp"] = headers["x-amz-date"]
        token = headers.get("x-amz-security-token")
        signer = S3SigV4Auth(Credentials(key, self.accounts[key], token), "s3", scope.split("/")[1])
        for name in ("x-amz-date", "x-amz-content-sha256", "x-amz-security-token"):
            if name in headers:
                request.headers[name] = headers[name]
        words = signer.string_to_sign(request, signer.canonical_request(request))
        return said.endswith(f"Signature={signer.signature(words, request)}")

    @contextmanager
    def running(self, secured: ssl.SSLContext | None = None) -> Iterator[ObjectServer]:
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                found = store.answer(self.path, headers)
                self.send_response(found.code)
                for name, value in found.headers.items():
                    self.send_header(name, value.replace("HERE", store.url))
                self.send_header("Content-Length", str(len(found.body)))
                self.end_headers()
                self.wfile.write(found.body)

            def log_message(self, *_: object) -> None:
                pass

        with answering(Handler, secured) as self.url:
            yield self

    @property
    def paths(self) -> list[str]:
        """What was asked for, decoded."""
        return [unquote(path) for path, _ in self.asked]


def data_of(found: Chunks | None) -> bytes:
    """All bytes of what was found."""
    assert found is not None
    return b"".join(found())

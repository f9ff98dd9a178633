"""JSON over HTTP: the only importer of httpx, where every foreign error becomes one of ours."""

from controller.rest.body import JSON, BadBody, parse_json
from controller.rest.client import Answered, ApiCall, Rest, Transport
from controller.rest.credentials import ApiKey, Credentials, NoAuth, OAuth
from controller.rest.endpoint import checked_endpoint, is_loopback
from controller.rest.failures import Repeat, lost
from controller.rest.redaction import Secret, know, redact, said
from controller.rest.status import SCOPE, RawResponse, RequestFacts
from controller.rest.timing import ClientLimits, Timing, retry_after

__all__ = [
    "JSON",
    "SCOPE",
    "Answered",
    "ApiCall",
    "ApiKey",
    "BadBody",
    "ClientLimits",
    "Credentials",
    "NoAuth",
    "OAuth",
    "RawResponse",
    "Repeat",
    "RequestFacts",
    "Rest",
    "Secret",
    "Timing",
    "Transport",
    "checked_endpoint",
    "is_loopback",
    "know",
    "lost",
    "parse_json",
    "redact",
    "retry_after",
    "said",
]

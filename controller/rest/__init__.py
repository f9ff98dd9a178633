"""JSON over HTTP: the only importer of httpx, where every foreign error becomes one of ours."""

from controller.rest.backoff import retry_after
from controller.rest.body import JSON, BadBody, parse_json
from controller.rest.client import Answered, Call, Rest, Transport
from controller.rest.credentials import ApiKey, Credentials, NoAuth
from controller.rest.oauth import OAuth
from controller.rest.origin import checked_endpoint, is_loopback
from controller.rest.repeat import Repeat, lost
from controller.rest.secrets import Secret, know, redact
from controller.rest.status import SCOPE, Answer, Asked
from controller.rest.texts import said
from controller.rest.timing import Limits, Timing

__all__ = [
    "JSON",
    "SCOPE",
    "Answer",
    "Answered",
    "ApiKey",
    "Asked",
    "BadBody",
    "Call",
    "Credentials",
    "Limits",
    "NoAuth",
    "OAuth",
    "Repeat",
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

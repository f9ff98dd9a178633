"""JSON over HTTP: the only importer of httpx, where every foreign error becomes one of ours."""

from controller.rest.body import JSON
from controller.rest.client import Rest, Transport
from controller.rest.credentials import ApiKey, Credentials, NoAuth
from controller.rest.oauth import OAuth
from controller.rest.origin import checked_endpoint, is_loopback
from controller.rest.repeat import Repeat
from controller.rest.secrets import Secret, know, redact
from controller.rest.status import SCOPE
from controller.rest.texts import said
from controller.rest.timing import Limits, Timing

__all__ = [
    "JSON",
    "SCOPE",
    "ApiKey",
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
    "redact",
    "said",
]

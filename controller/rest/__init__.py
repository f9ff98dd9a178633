"""JSON and files over HTTP: the only importer of httpx, where every foreign error becomes one of ours."""

from controller.rest.body import JSON, BadBody, parse_as, parse_json
from controller.rest.client import Answered, ApiCall, Rest, Transport
from controller.rest.credentials import Credentials, NoAuth, ask_once
from controller.rest.download import Arrived, Download, DownloadAnswer, Moved, RefusedDownload, download
from controller.rest.endpoint import checked_endpoint, covers
from controller.rest.failures import Repeat, lost
from controller.rest.reach import Network, Reach, Resolve, resolved
from controller.rest.redaction import Secret, know, redact, said
from controller.rest.status import Complaint, Dialect, RawResponse, RequestFacts, location_of, refusal
from controller.rest.timing import ClientLimits, Timing, retry_after

__all__ = [
    "JSON",
    "Answered",
    "ApiCall",
    "Arrived",
    "BadBody",
    "ClientLimits",
    "Complaint",
    "Credentials",
    "Dialect",
    "Download",
    "DownloadAnswer",
    "Moved",
    "Network",
    "NoAuth",
    "RawResponse",
    "Reach",
    "RefusedDownload",
    "Repeat",
    "RequestFacts",
    "Resolve",
    "Rest",
    "Secret",
    "Timing",
    "Transport",
    "ask_once",
    "checked_endpoint",
    "covers",
    "download",
    "know",
    "location_of",
    "lost",
    "parse_as",
    "parse_json",
    "redact",
    "refusal",
    "resolved",
    "retry_after",
    "said",
]

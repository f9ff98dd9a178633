"""Settings and environment to the endpoint and the credentials of a provider."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from controller.errors import Rejected, RejectedKind
from controller.rest import SCOPE, ApiKey, Credentials, NoAuth, OAuth, Secret
from controller.settings import ProviderSettings

GOOGLE = "https://generativelanguage.googleapis.com"
BASE_URL = "GOOGLE_GEMINI_BASE_URL"
CREDENTIALS_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_DEFAULT_KEY_ENV = ProviderSettings("", "gemini").api_key_env


def gemini_endpoint(settings: ProviderSettings, environ: Mapping[str, str]) -> str:
    """What gitune.yaml says, else the environment, else Google's own."""
    return settings.endpoint or environ.get(BASE_URL, "").strip() or GOOGLE


def gemini_credentials(settings: ProviderSettings, environ: Mapping[str, str]) -> Credentials:
    """The key, where its variable is set, else the account of a credentials file.

    Raises `Rejected` (UNAUTHENTICATED) where there is neither, naming the variable.
    """
    if key := environ.get(settings.api_key_env, "").strip():
        return ApiKey(Secret(key), settings.api_key_env)
    if file := environ.get(CREDENTIALS_FILE, "").strip():
        return OAuth(Path(file).expanduser(), CREDENTIALS_FILE)
    signed_in = _gcloud_file(environ)
    if signed_in is not None and signed_in.is_file():
        return OAuth(signed_in, "gcloud's application-default credentials")
    raise Rejected(
        f"no key for {settings.key}: {settings.api_key_env} is not set",
        kind=RejectedKind.UNAUTHENTICATED,
        hint=(
            f"Get a key at https://aistudio.google.com/apikey and set {settings.api_key_env} to it, "
            f"or set {CREDENTIALS_FILE} to a credentials file with the scope {SCOPE}."
        ),
        provider=settings.key,
    )


def local_credentials(settings: ProviderSettings, environ: Mapping[str, str]) -> Credentials:
    """The key of a running `gitune serve`, only where ``apiKeyEnv`` names a variable for it.

    The default variable holds a key that is worth money elsewhere: it is never sent to a local port.
    """
    if settings.api_key_env == _DEFAULT_KEY_ENV:
        return NoAuth()
    if key := environ.get(settings.api_key_env, "").strip():
        return ApiKey(Secret(key), settings.api_key_env)
    raise Rejected(
        f"no key for {settings.key}: {settings.api_key_env} is not set",
        kind=RejectedKind.UNAUTHENTICATED,
        hint=f"Set {settings.api_key_env} to a key that the server was given with --api-key-file.",
        provider=settings.key,
    )


def _gcloud_file(environ: Mapping[str, str]) -> Path | None:
    """Where `gcloud auth application-default login` leaves its file."""
    if folder := environ.get("CLOUDSDK_CONFIG"):
        return Path(folder) / "application_default_credentials.json"
    if home := environ.get("HOME"):
        return Path(home) / ".config" / "gcloud" / "application_default_credentials.json"
    return None

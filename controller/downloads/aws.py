"""An environment to AWS's region and to requests that botocore has signed. Nothing here opens a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from controller.errors import Rejected, RejectedKind
from controller.rest import know

if TYPE_CHECKING:
    from botocore.credentials import Credentials as AwsCredentials

REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_DEFAULT_REGION: Final = "us-east-1"
_SIGNED: Final = ("authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token")
HINT: Final = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or AWS_PROFILE for a profile of the "
    "shared files; `aws configure export-credentials --format env` prints those of a sign-in."
)


@dataclass(frozen=True, slots=True)
class AwsSigner:
    """Credentials of one account, for one region. ``source`` says in words where they are kept."""

    region: str
    source: str
    _credentials: AwsCredentials = field(repr=False)

    def headers(self, url: str) -> Mapping[str, str]:
        """The headers of a GET of this URL."""
        from botocore.auth import S3SigV4Auth  # noqa: PLC0415 - a third of a second that most commands never need
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - see above

        request = AWSRequest(method="GET", url=url)
        S3SigV4Auth(self._credentials, "s3", self.region).add_auth(request)
        found = {str(name).lower(): str(value) for name, value in request.headers.items()}
        return {name: found[name] for name in _SIGNED if name in found}


def region_of(environ: Mapping[str, str]) -> str:
    """AWS_REGION, AWS_DEFAULT_REGION, else that of the profile, else us-east-1. Raises `Rejected`."""
    said = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or _of_profile(environ) or _DEFAULT_REGION
    if not REGION.fullmatch(said):
        raise Rejected("AWS_REGION is not the name of a region", kind=RejectedKind.PRECONDITION, hint="Correct it.")
    return said


def signer(environ: Mapping[str, str]) -> AwsSigner | None:
    """Whose requests they are: the variables' account, else that of the profile in the shared files; None: nobody's.

    Raises `Rejected` where botocore is not installed, or cannot use what it finds.
    """
    _installed()
    from botocore.credentials import ConfigProvider, EnvProvider, SharedCredentialProvider  # noqa: PLC0415 - as above
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - as above

    region, profile = region_of(environ), _profile(environ)
    ways = {
        "AWS_ACCESS_KEY_ID": EnvProvider(environ=dict(_known(environ))),
        f"the profile {profile} of {_file(environ, 'credentials')}": SharedCredentialProvider(
            str(_file(environ, "credentials")), profile
        ),
        f"the profile {profile} of {_file(environ, 'config')}": ConfigProvider(str(_file(environ, "config")), profile),
    }
    for source, way in ways.items():
        try:
            found = way.load()
            frozen = None if found is None else found.get_frozen_credentials()
        except (BotoCoreError, RuntimeError):
            # Without botocore's words, which may quote a file.
            raise Rejected(f"{source} cannot be used for AWS", kind=RejectedKind.UNAUTHENTICATED, hint=HINT) from None
        if frozen is not None:
            for secret in (frozen.secret_key, frozen.token):
                know(secret or "")
            return AwsSigner(region, source, frozen)
    return None


def _installed() -> None:
    try:
        import botocore  # noqa: F401, PLC0415 - whether the extra is there
    except ImportError:
        raise Rejected(
            "data at s3:// needs the extra `s3`, which is not installed",
            kind=RejectedKind.UNSUPPORTED,
            hint="Install it: `pip install gitune[s3]`.",
        ) from None


_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


def _known(environ: Mapping[str, str]) -> Mapping[str, str]:
    """One by one: a variable may stand in a file that its ``_FILE`` names."""
    return {name: environ[name] for name in _VARIABLES if environ.get(name)}


def _profile(environ: Mapping[str, str]) -> str:
    return environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"


def _file(environ: Mapping[str, str], name: str) -> Path:
    variable = {"credentials": "AWS_SHARED_CREDENTIALS_FILE", "config": "AWS_CONFIG_FILE"}[name]
    home = environ.get("HOME", "")
    # Without a HOME that is this repository's to see there are no shared files; "~" would be botocore's own guess.
    return Path(environ.get(variable) or (f"{home}/.aws/{name}" if home else "/nonexistent/.aws"))


def _of_profile(environ: Mapping[str, str]) -> str:
    _installed()
    from botocore.configloader import load_config  # noqa: PLC0415 - as above
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - as above

    try:
        profiles = load_config(str(_file(environ, "config")))["profiles"]
    except BotoCoreError:
        return ""
    return str(profiles.get(_profile(environ), {}).get("region", ""))

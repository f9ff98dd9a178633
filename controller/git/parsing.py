"""What git lists, and what users write of repositories, revisions and refs, to checked values. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from controller.git.failures import GitFailed, NoRepository, NotFound
from controller.network import is_loopback

# The object formats of git, as `extensions.objectFormat` and hashlib both call them.
SHA1: Final = "sha1"
SHA256: Final = "sha256"
COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LONGEST = 1024
# git-check-ref-format(1): no control character, space, ~ ^ : ? * [ \, no "..", "@{", "//", no end in "/" or "."
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_STEPS = re.compile(r"(?:[~^][0-9]{0,6}){0,8}")


def is_commit_id(text: str) -> bool:
    """Whether the text is a whole commit id: 40 or 64 lower-case hex digits."""
    return COMMIT_ID.fullmatch(text) is not None


def is_ref_name(text: str) -> bool:
    """Whether git would take the text as the name of a branch or tag; never one that reads as an option."""
    if not text or len(text) > _LONGEST or text == "@" or text[0] in "-/" or text[-1] in "/.":
        return False
    if _FORBIDDEN.search(text):
        return False
    return all(part and not part.startswith(".") and not part.endswith(".lock") for part in text.split("/"))


def branch_ref(branch: str) -> str:
    """``refs/heads/<branch>``. Raises `NotFound` for a name git would refuse."""
    if not is_ref_name(branch) or not is_ref_name(f"refs/heads/{branch}"):
        raise NotFound(f"{branch!r} is not a name a branch can have", hint="See `git help check-ref-format`.")
    return f"refs/heads/{branch}"


def split_revision(text: str) -> tuple[str, str]:
    """A revision as its name and its steps: ``main~2`` to ``("main", "~2")``.

    A name is a ref, a commit id or ``HEAD``; steps are ``~n`` and ``^n``. Raises `NotFound` for anything else.
    """
    cut = min((at for sign in "~^" if (at := text.find(sign)) >= 0), default=len(text))
    name, steps = text[:cut], text[cut:]
    if not is_ref_name(name) or not _STEPS.fullmatch(steps):
        raise NotFound(
            f"{text[:200]!r} is not a revision Gitune reads",
            hint="Give a branch, a tag, a whole commit id or HEAD, with ~n or ^n behind it where needed.",
        )
    return name, steps


class TreeEntry(NamedTuple):
    """One path of a commit: octal mode as git writes it, object id, size in bytes (None: the object is not here)."""

    path: bytes
    mode: str
    oid: str
    size: int | None


def parse_tree(listing: bytes) -> tuple[TreeEntry, ...]:
    """The output of ``git ls-tree -r -z -l`` as entries. Raises `GitFailed` where it is cut."""
    if listing and not listing.endswith(b"\0"):
        raise GitFailed("the listing of a tree broke off")
    return tuple(map(_tree_entry, listing.split(b"\0")[:-1]))


def _tree_entry(line: bytes) -> TreeEntry:
    facts, _, path = line.partition(b"\t")
    mode, _, oid, size = facts.decode("ascii").split()
    return TreeEntry(path, mode, oid, int(size) if size.isdigit() else None)


# Commit and parents, author, when it was written, when it was committed, the message: a line each, a NUL behind all.
LANDED_FORMAT: Final = "%H %P%n%an <%ae>%n%aI%n%cI%n%B"

DESCRIBED_FORMAT: Final = LANDED_FORMAT.replace("%B", "%s")  # the first line of the message alone


@dataclass(frozen=True, slots=True)
class LandedCommit:
    """One commit of a history. ``parent`` is its first, "" for a root commit; times are RFC 3339."""

    commit: str
    parent: str
    author: str
    at: str
    landed: str
    message: str


def parse_landings(listing: bytes) -> tuple[LandedCommit, ...]:
    """The output of ``git log -z`` in `LANDED_FORMAT`. Raises `GitFailed` where it is something else."""
    found = []
    for record in listing.decode("utf-8", "replace").split("\0"):
        if not record.strip():
            continue
        ids, author, at, landed, *message = record.split("\n")
        commit, *parents = ids.split()
        if not all(map(is_commit_id, (commit, *parents))):
            raise GitFailed("git log gave something that is no history")
        first = parents[0] if parents else ""
        found.append(LandedCommit(commit, first, author, at, landed, "\n".join(message).strip()))
    return tuple(found)


def blob_id(content: bytes, algorithm: str = SHA1) -> str:
    """The id git gives these bytes as a file in a repository of that object format (a name, not a seal)."""
    return object_id("blob", content, algorithm)


def object_id(kind: str, content: bytes, algorithm: str) -> str:
    """The same of an object of any kind: ``blob``, ``tree``, ``commit``."""
    named = hashlib.new(algorithm, b"%b %d\0" % (kind.encode(), len(content)), usedforsecurity=False)
    named.update(content)
    return named.hexdigest()


def algorithm_of(oid: str) -> str:
    """The object format that an id is of, by its length."""
    return SHA256 if len(oid) == 64 else SHA1  # noqa: PLR2004 - hex digits


_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_PATH = re.compile(r"[^\x00-\x20\x7f]{1,1024}")
_USERINFO = re.compile(r"(?<=://)[^/\s@'\"]*@")
# Their paths do not tell upper case from lower, so one repository would have two identities.
_CASELESS: Final = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org"})
_HINT = "Use https://…, ssh://…, git@host:path, file:///… or a path."


@dataclass(frozen=True, slots=True)
class LocalPath:
    """A repository in the file system, read and written without starting a git of its own there."""

    path: str


@dataclass(frozen=True, slots=True)
class NetworkUrl:
    """A repository behind https or ssh, or http on loopback. ``url`` is what git is given: no password in it."""

    url: str
    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def identity(self) -> str:
        """``host/path`` without user, port and ``.git``: what names the repository whichever way it is reached."""
        host = self.host.lower()
        path = self.path.strip("/").removesuffix(".git").rstrip("/")
        return f"{host}/{path.lower() if host in _CASELESS else path}"


Location = LocalPath | NetworkUrl


def full_name(address: str | None) -> str:
    """What a forge calls the repository at a network address: ``owner/name``; "" for any other text."""
    try:
        location = parse_location(address or "")
    except NoRepository:
        return ""
    return location.identity.partition("/")[2] if isinstance(location, NetworkUrl) else ""


def without_userinfo(text: str) -> str:
    """The text with user and password taken out of every URL in it."""
    return _USERINFO.sub("", text)


def parse_location(text: str) -> Location:
    """Where a repository is. Raises `NoRepository` for what is on no allow-list (``ext::``, ``git://``, options, …)."""
    if not text or text.startswith("-") or re.search(r"[\x00-\x1f\x7f]", text) or "::" in text.split("/", 1)[0]:
        raise _refused(text)
    if "://" in text:
        return _url(text)
    if scp := _scp(text):
        return scp
    return LocalPath(text)


def _url(text: str) -> Location:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused(text) from error
    if parts.query or parts.fragment or not parts.path.startswith("/"):
        raise _refused(text)
    if parts.scheme == "file" and host in {"", "localhost"}:
        return LocalPath(unquote(parts.path))
    if parts.scheme in {"https", "ssh"} or (parts.scheme == "http" and is_loopback(host)):
        user = parts.username or "" if parts.scheme == "ssh" else ""
        return _network(parts.scheme, user, host, port, parts.path)
    raise _refused(text)


def _network(scheme: str, user: str, host: str, port: int | None, path: str) -> NetworkUrl:
    """The address rebuilt from its parts, so that nothing else of the text reaches git."""
    shown = f"[{host}]" if ":" in host else host
    if not _are_plain(user, shown, path) or path.strip("/") == "":
        raise _refused(f"{scheme}://{host}{path}")
    before = f"{user}@" if user else ""
    after = f":{port}" if port is not None else ""
    return NetworkUrl(f"{scheme}://{before}{shown}{after}{path}", scheme, host, port, path)


def _scp(text: str) -> NetworkUrl | None:
    """``git@host:path``, as git reads it: a colon before the first slash."""
    head, colon, path = text.partition(":")
    if not colon or "/" in head or not path:
        return None
    user, at, host = head.rpartition("@")
    if (at and not user) or not _are_plain(user, host, path) or path.startswith("-"):
        raise _refused(text)
    return NetworkUrl(text, "ssh", host, None, path)


def _are_plain(user: str, host: str, path: str) -> bool:
    return bool(_HOST.fullmatch(host) and _PATH.fullmatch(path) and (not user or _USER.fullmatch(user)))


def _refused(text: str) -> NoRepository:
    return NoRepository(f"{without_userinfo(text)[:200]!r} is not a repository address Gitune uses", hint=_HINT)

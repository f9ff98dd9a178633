"""The least that a case can take, as programs: its bytes read, hashed and decoded, and nothing decided about them.

Run by themselves (``python -I floor.py WORD ARGUMENT…``): ``plan ROOT URL`` reads every spec, dataset and status file
through one ``git cat-file --batch``, hashes each, sends each through JSON and back twice, and decodes the provider's
listing; ``known ROOT URL KEPT`` decodes one file in place of all that, as where nothing has changed since; ``files
ROOT`` reads a working tree; ``listing URL``, ``rows FILE`` and ``creates URL COUNT AT_ONCE`` are what they are called.
"""

import hashlib
import http.client
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

PAGE = 1000
LEDGER = "gitune-status"


class Task(msgspec.Struct):
    """What a plan compares of a run."""

    hyperparameters: dict[str, float]


class Model(msgspec.Struct, rename="camel"):
    """What a plan compares of a remote model; all else is skipped."""

    name: str
    state: str
    base_model: str
    description: str
    tuning_task: Task


class Page(msgspec.Struct, rename="camel"):
    """One page of a listing."""

    tuned_models: list[Model]
    next_page_token: str = ""


class Row(msgspec.Struct):
    """One row of a dataset."""

    text_input: str
    output: str


def listing(url: str) -> int:
    """How many models there are."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    decoder, token, found = msgspec.json.Decoder(Page), "", 0
    while True:
        more = f"&pageToken={token}" if token else ""
        connection.request("GET", f"/v1beta/tunedModels?pageSize={PAGE}{more}")
        page = decoder.decode(connection.getresponse().read())
        found, token = found + len(page.tuned_models), page.next_page_token
        if not token:
            return found


def listed(root: str) -> list[bytes]:
    """The ids of every file that a plan looks at."""
    ids = []
    for tree, paths in (("HEAD", ("specs", "datasets")), (LEDGER, ("status",))):
        command = ["git", "ls-tree", "-r", "--format=%(objectname)", tree, *paths]
        ids += subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout.split()
    return ids


def blobs(root: str, ids: list[bytes]) -> Iterator[bytes]:
    """Their bytes, by one process."""
    asked = b"\n".join(ids) + b"\n"
    command = ["git", "cat-file", "--batch"]
    said = memoryview(subprocess.run(command, cwd=root, check=True, input=asked, stdout=subprocess.PIPE).stdout)
    at = 0
    for oid in ids:
        line = bytes(said[at : at + len(oid) + 32]).split(b"\n", 1)[0]
        size, at = int(line.rsplit(b" ", 1)[1]), at + len(line) + 1
        yield bytes(said[at : at + size])
        at += size + 1


def plan(root: str, url: str) -> int:
    """All of it."""
    encode, decode = msgspec.json.encode, msgspec.json.decode
    whole = hashlib.sha256()
    for data in blobs(root, listed(root)):
        whole.update(hashlib.sha256(data).digest())
        document = [line.partition(":") for line in data.decode().splitlines()]
        decode(encode(decode(encode(document))))
    return listing(url)


def files(root: str) -> int:
    """The files of the working tree that a validation looks at."""
    encode, decode, read = msgspec.json.encode, msgspec.json.decode, 0
    for path in sorted(path for folder in ("specs", "datasets") for path in Path(root, folder).rglob("*.*")):
        data = path.read_bytes()
        hashlib.sha256(data).digest()
        document = [line.partition(":") for line in data.decode().splitlines()]
        decode(encode(decode(encode(document))))
        read += 1
    return read


def keep(root: str, kept: str) -> int:
    """Every file's id and fields in one file, for `known`."""
    ids = listed(root)
    known = {
        oid.decode(): [line.partition(":") for line in data.decode().splitlines()]
        for oid, data in zip(ids, blobs(root, ids), strict=True)
    }
    Path(kept).write_bytes(msgspec.json.encode(known))
    return len(ids)


def known(root: str, url: str, kept: str) -> int:
    """The same where no file is new."""
    there = msgspec.json.decode(Path(kept).read_bytes())
    if any(oid.decode() not in there for oid in listed(root)):
        raise SystemExit("a file is new")
    return listing(url)


def rows(path: str) -> int:
    """Rows decoded, hashed, and held against each other."""
    decoder, whole, seen, read = msgspec.json.Decoder(Row), hashlib.sha256(), set(), 0
    with Path(path).open("rb") as file:
        for line in file:
            decoder.decode(line)
            whole.update(line)
            seen.add(hash(line))
            read += 1
    print(read - len(seen), "duplicates")
    return read


def creates(url: str, count: str, at_once: str) -> int:
    """As many creates, so many at once, each over a connection that is kept."""
    rows = {"examples": {"examples": [{"textInput": "a" * 2000, "output": "b"}]}}
    task = {"hyperparameters": {"epochCount": 2}, "trainingData": rows}
    body = msgspec.json.encode({"displayName": "Model", "baseModel": "models/tiny", "tuningTask": task})
    numbers = iter(range(int(count)))

    def send(_lane: int) -> None:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        for number in numbers:
            connection.request("POST", f"/v1beta/tunedModels?tunedModelId=model-{number}", body)
            connection.getresponse().read()

    with ThreadPoolExecutor(int(at_once)) as lanes:
        list(lanes.map(send, range(int(at_once))))
    return int(count)


DOORS: dict[str, Callable[..., int]] = {
    "plan": plan,
    "files": files,
    "creates": creates,
    "keep": keep,
    "known": known,
    "listing": listing,
    "rows": rows,
}

if __name__ == "__main__":
    print(DOORS[sys.argv[1]](*sys.argv[2:]))

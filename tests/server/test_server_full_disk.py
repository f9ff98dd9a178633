"""A disk that is full, read-only or limited: refusals in words, nothing half made, and runs that wait and go on."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.served import Answer, Served, text_of, tuned
from tests.server.small_disk import SmallDisk, small_disk

MIB = 2**20
LONG = 1_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A server on a disk of 24 MiB, with the model ``ready`` that knows what follows 3."""
    made = small_disk(tmp_path, 24 * MIB, "--runs", "2")
    made.served.start()
    assert "response" in made.served.wait(made.served.create("ready", tuned(epochCount=60)), 60)
    yield made
    if made.served.process.poll() is None:
        made.served.stop()


def health(served: Served) -> Any:
    answer = served.call("GET", "/healthz")
    assert answer.status == 200
    return answer.body


def refused(answer: Answer, words: str) -> None:
    assert (answer.status, answer.error["status"]) == (429, "RESOURCE_EXHAUSTED"), answer
    assert words in answer.error["message"]
    assert answer.error["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "10s"}]


def steps(served: Served, model_id: str) -> list[int]:
    return [s["step"] for s in served.model(model_id)["tuningTask"].get("snapshots", [])]


def waits(served: Served) -> Any:
    return served.until(lambda: health(served), lambda seen: seen["status"] == "degraded", 20)


def test_what_cannot_be_stored_is_refused_in_words_and_leaves_nothing(disk: SmallDisk) -> None:
    served = disk.served
    assert health(served) == {"status": "ok"}
    disk.fill()
    create = "/v1beta/tunedModels?tunedModelId=more"
    refused(served.call("POST", create, tuned(2000)), "disk of the data folder is full")
    refused(served.call("PATCH", "/v1beta/tunedModels/ready", {"description": "x" * 50_000}), "is full")
    assert "is full" in health(served)["message"]

    # What needs no room goes on.
    assert text_of(served.ask("ready", "3")) == "4"
    listed = served.call("GET", "/v1beta/tunedModels").body["tunedModels"]
    assert [model["name"] for model in listed] == ["tunedModels/ready"]
    assert "description" not in served.model("ready")
    assert served.call("GET", "/v1beta/tunedModels/more").status == 404

    disk.make_room()
    assert health(served) == {"status": "ok"}
    assert served.call("POST", create, tuned(20, epochCount=1)).status == 200
    served.until(lambda: served.model("more")["state"], lambda state: state == "ACTIVE", 30)
    assert served.journal.count("Traceback") == 0


def test_a_run_that_meets_a_full_disk_waits_and_goes_on_without_a_missing_step(disk: SmallDisk) -> None:
    served = disk.served
    name = served.create("run", tuned(epochCount=80, batchSize=1))
    served.wait_for_step(name, 1)
    disk.fill()
    assert "is full" in waits(served)["message"]
    stored = steps(served, "run")
    [trainer] = served.trainers()
    assert stored == list(range(1, len(stored) + 1))
    assert "done" not in served.operation(name)

    disk.make_room()
    assert "response" in served.wait(name, 60)
    assert steps(served, "run") == list(range(1, 481))
    assert served.journal.count(f'"pid": {trainer}') == 1
    served.until(served.trainers, lambda left: left == [], 10)  # its process ends a moment after its operation is done
    served.until(lambda: health(served), lambda seen: seen == {"status": "ok"}, 10)
    assert 'exit_code": -' not in served.journal


def test_wherever_the_room_ends_a_create_is_refused_whole_or_trained_in_the_end(disk: SmallDisk) -> None:
    served = disk.served
    answers = []
    for pages in range(5, 16):
        disk.fill(pages * 4096)  # too little for the rows; for the start of the run; for its end
        answer = served.call("POST", f"/v1beta/tunedModels?tunedModelId=with-{pages}", tuned(epochCount=1))
        answers.append(answer.status)
        if answer.status == 200:
            waits(served)
            assert served.model(f"with-{pages}")["state"] == "CREATING"
        else:
            refused(answer, "is full")
            assert served.call("GET", f"/v1beta/tunedModels/with-{pages}").status == 404
        disk.make_room()
        if answer.status == 200:
            assert "response" in served.wait(answer.body["name"], 30)
    assert set(answers) == {200, 429}
    # A run that could not even be begun, or one that met the full disk by itself: which, is for the machine's pace.
    assert '"runs.waiting"' in served.journal or '"run.waiting"' in served.journal


def test_rows_are_wiped_once_there_is_room_for_that(disk: SmallDisk) -> None:
    served = disk.served
    body = tuned(epochCount=LONG)
    private = "a-very-private-row"
    body["tuningTask"]["trainingData"]["examples"]["examples"][0]["textInput"] = private
    name = served.create("private", body)
    served.wait_for_step(name, 1)
    disk.fill()
    waits(served)
    answer = served.call("POST", f"/v1/{name}:cancel", {})
    if answer.status != 200:
        refused(answer, "is full")
        assert "done" not in served.operation(name)
    disk.make_room()
    assert served.call("POST", f"/v1/{name}:cancel", {}).status == 200
    assert served.operation(name)["error"]["code"] == 1
    assert served.trainers() == []

    def found() -> list[str]:
        files = [path for path in disk.folder.rglob("*") if path.is_file()]
        return [file.name for file in files if private.encode() in file.read_bytes()]

    served.until(found, lambda names: names == [], 10)


@pytest.mark.parametrize("leave", [0, 16 * 1024, 56 * 1024])
def test_a_server_that_starts_on_a_full_disk_says_so_and_what_to_do(tmp_path: Path, leave: int) -> None:
    made = small_disk(tmp_path, 1 * MIB)
    fill = f'head -c {MIB - leave} /dev/zero > "{made.served.data}/filling" 2>/dev/null; exec "$@"'
    said = ended_at_once([*made.served.within, "sh", "-c", fill, "sh"], made.served.data)
    assert "Make room there" in said
    assert "Move the file away" not in said


def test_a_server_on_a_read_only_disk_says_so(tmp_path: Path) -> None:
    made = small_disk(tmp_path, 1 * MIB)
    shut = f'touch "{made.served.data}/lock" && mount -o remount,ro "{made.served.data}" && exec "$@"'
    assert "ead-only" in ended_at_once([*made.served.within, "sh", "-c", shut, "sh"], made.served.data)


def ended_at_once(within: list[str], data: Path) -> str:
    """What a server that is not to start writes on stderr."""
    command = [*within, sys.executable, "-m", "controller.server", "--data", str(data)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    return ended.stderr


def limit(process: int, kind: int, soft: int) -> None:
    """Sets a limit of a running process, which may be raised again."""
    resource.prlimit(process, kind, (soft, resource.prlimit(process, kind)[1]))


def test_a_limit_of_file_sizes_holds_a_run_up_and_no_longer(serving: Callable[..., Served]) -> None:
    served = serving()
    name = served.create("run", tuned(epochCount=80, batchSize=1))
    served.wait_for_step(name, 1)
    [trainer] = served.trainers()
    limit(trainer, resource.RLIMIT_FSIZE, 4096)
    assert "limit of file sizes" in waits(served)["message"]
    limit(trainer, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    assert "response" in served.wait(name, 60)
    assert steps(served, "run") == list(range(1, 481))


def test_a_run_whose_process_finds_no_open_file_left_waits_for_one(serving: Callable[..., Served]) -> None:
    served = serving()
    assert health(served) == {"status": "ok"}
    open_files = len(list(Path(f"/proc/{served.process.pid}/fd").iterdir()))
    usual = resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE)[0]
    limit(served.process.pid, resource.RLIMIT_NOFILE, open_files + 2)  # the request, a file; no process
    name = served.create("run", tuned(epochCount=1))
    served.until(lambda: "runs.waiting" in served.journal, bool, 10)
    assert "done" not in served.operation(name)
    assert "Too many open files" in health(served)["message"]
    limit(served.process.pid, resource.RLIMIT_NOFILE, usual)
    assert "response" in served.wait(name, 30)
    assert health(served) == {"status": "ok"}


def test_a_log_that_nothing_can_be_written_to_costs_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "controller.server", "--data", str(tmp_path / "data")]
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=full, text=True)
    served = Served(tmp_path / "data")
    served.process = process
    assert process.stdout is not None
    served.url = process.stdout.readline().partition('"url": "')[2].partition('"')[0]
    assert "response" in served.wait(served.create("run", tuned(epochCount=1)))
    assert health(served) == {"status": "ok"}
    served.stop()


def test_health_is_told_without_a_key(tmp_path: Path, serving: Callable[..., Served]) -> None:
    keys = tmp_path / "keys"
    keys.write_text("secret\n")
    served = serving("--api-key-file", str(keys))
    assert health(served) == {"status": "ok"}
    assert served.call("GET", "/v1beta/tunedModels").status == 400

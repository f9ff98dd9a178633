"""Requests to answers of a tuning service with replicas that lag, quotas, a price meter and people at its console."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import Any, TypeAlias

from tests.simulation.chance import Draw
from tests.simulation.events import Changed, Created, Ended, Event, Generated, Missed, Seen
from tests.simulation.times import ahead, moment, rfc3339
from tests.simulation.wishes import Inputs

Json: TypeAlias = dict[str, Any]
MICRO = 1_000_000
BYTES_PER_TOKEN = 3.0  # what the meter bills by; the product reckons with 2 to 6


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status and a JSON body."""

    code: int
    body: Json


@dataclass(frozen=True, slots=True)
class Version:
    """A model as it was written at one moment. ``state`` "" means: as its run goes."""

    display: str
    description: str
    sampling: tuple[tuple[str, float], ...] = ()
    state: str = ""
    gone: bool = False

    @property
    def fields(self) -> frozenset[tuple[str, str]]:
        """What can be changed in place, as (name, value)."""
        texts = (("displayName", self.display), ("description", self.description))
        return frozenset((*texts, *((name, str(number)) for name, number in self.sampling)))


@dataclass
class Model:
    """One tuned model, with all that it ever was: replicas show an old version."""

    name: str
    inputs: Inputs
    born: float
    ends: float
    end: str
    versions: list[tuple[float, Version]] = field(default_factory=list)
    operation: str = "run"
    rate: float | None = None
    operation_hidden: bool = False
    foreign: bool = False
    shared: bool = False  # another account's, which lets ours read it
    closed: bool = False  # another account's, which lets nobody read it
    told_end: bool = False

    def version(self, at: float) -> Version | None:
        """What it was at that time; None where it was not there."""
        found = None
        for since, version in self.versions:
            if since > at:
                break
            found = version
        return None if found is None or found.gone else found

    def state(self, at: float) -> str:
        """The state of its run at that time."""
        version = self.version(at)
        if version is not None and version.state:
            return version.state
        return "CREATING" if at < self.ends else self.end

    def completed(self, at: float) -> float | None:
        """When its run ended, however it did; None where it goes on."""
        for since, version in self.versions:
            if version.state and since <= at:
                return since
        return self.ends if self.ends <= at else None

    @property
    def steps(self) -> int:
        """As many as its epochs and rows make, at a batch of four."""
        return (self.inputs.epochs or 5) * 5


@dataclass(frozen=True, slots=True)
class Service:
    """How the service behaves in this run."""

    chooses_id: bool = True
    lag: float = 0.0
    page: int = 3
    quota: int = 1000
    shortest: float = 100.0
    longest: float = 900.0
    price: float = 0.0
    distance: float = 0.0  # seconds that every request is on its way
    folds: bool = False  # whether descriptions are stored otherwise than they were sent
    reserves: bool = False  # whether the id of a model that its owner deleted stays taken
    frozen: tuple[tuple[float, float, float], ...] = ()  # (from, to, the moment that replicas show meanwhile)
    dates: tuple[tuple[float, float, float], ...] = ()  # (from, to, seconds by which its clock is ahead meanwhile)
    mute: tuple[tuple[float, float], ...] = ()  # (from, to): no model answers a prompt meanwhile
    unlisted: tuple[tuple[float, float], ...] = ()  # (from, to): listing models fails meanwhile

    def stored(self, description: str) -> str:
        """What becomes of a description that was sent."""
        return description.replace("Says ", "says ") if self.folds else description


class Remote:
    """The service. ``fires`` asks whether a fault of that kind strikes at that place."""

    def __init__(
        self, seed: int, service: Service, log: Callable[[Event], None], fires: Callable[[str, str], bool]
    ) -> None:
        self.seed = seed
        self.service = service
        self.models: dict[str, Model] = {}
        self.base_tunable = True
        self.healed = False
        self.repeating = False
        self.deaf = False  # whether a cancel is answered well, and does nothing
        self._reserved: set[str] = set()
        self._log = log
        self._fires = fires
        self._views = Draw(seed, "views")
        self._lags = [0.0] + [Draw(seed, f"lag-{n}").between(0.0, service.lag) for n in range(2)]
        self._made = 0

    # Reading

    def view(self, now: float) -> float:
        """The time that some replica shows: not later than now."""
        for low, high, shown in self.service.frozen:
            if low <= now < high:
                return shown
        if self.healed or not self.service.lag:
            return now
        return now - self._views.one(self._lags)

    def date(self, now: float) -> str:
        """What its answers say the time is."""
        return format_datetime(moment(now + ahead(self.service.dates, now)), usegmt=True)

    def get(self, name: str, now: float, by: str) -> Reply:
        """One model, as a replica has it."""
        at = self.view(now)
        model = self.models.get(name)
        if model is not None and model.closed:
            return error(403, "PERMISSION_DENIED", f"You do not have permission to access tuned model {name}.")
        if model is None or model.version(at) is None:
            self._log(Missed(by, name))
            return error(404, "NOT_FOUND", f"Tuned model {name} does not exist.")
        return Reply(200, self._shown(model, at, by))

    def page(self, token: str, now: float, by: str, asked: str = "") -> Reply:
        """One page of the listing. A token is an offset: what comes and goes between two pages shifts them."""
        mine = "owner:me" in asked.split()
        if any(low <= now < high for low, high in self.service.unlisted):
            return error(503, "UNAVAILABLE", "The listing is overloaded.")
        at = self.view(now)
        names = [
            name
            for name, model in self.models.items()
            if model.version(at) is not None and not model.closed and not (mine and model.shared)
        ]
        names.sort(key=lambda name: (len(name) * 7 + self._made * 3) % 5)  # an order that means nothing and changes
        start = int(token or 0)
        if token and self._fires("list", "list.shift"):
            start = max(0, start - 1)
        if token and self._fires("list", "list.expired"):
            return error(400, "INVALID_ARGUMENT", "Page token is invalid.")
        shown = [self._shown(self.models[name], at, by) for name in names[start : start + self.service.page]]
        body: Json = {"tunedModels": shown} if shown else {}
        end = start + self.service.page
        if end < len(names):
            body["nextPageToken"] = token if token and self._fires("list", "list.circle") else str(end)
        return Reply(200, body)

    def base(self, name: str) -> Reply:
        """The base model, tunable unless it is retired."""
        methods = ["generateContent"] + (["createTunedModel"] if self.base_tunable else [])
        if name != "models/tiny":
            return error(404, "NOT_FOUND", f"{name} is not found.")
        return Reply(200, {"name": name, "supportedGenerationMethods": methods})

    def operations(self, name: str, now: float, by: str) -> Reply:
        """The operation of a model's run."""
        at = self.view(now)
        model = self.models.get(name)
        version = model.version(at) if model else None
        if model is None or version is None:
            return error(404, "NOT_FOUND", f"Tuned model {name} does not exist.")
        if model.operation_hidden or model.foreign:
            return Reply(200, {})
        self._log(Seen(by, model.name, model.state(at), None))
        return Reply(200, {"operations": [self._operation(model, at)]})

    def generate(self, name: str, now: float, by: str) -> Reply:
        """A few words from an active model."""
        model, version = self._held(name, now)
        if any(low <= now < high for low, high in self.service.mute):
            return error(404, "NOT_FOUND", "models/tiny is not found.")
        if model is None or version is None:
            return error(404, "NOT_FOUND", f"Tuned model {name} does not exist.")
        if model.state(now) != "ACTIVE":
            return error(400, "FAILED_PRECONDITION", f"{name} is not active.")
        self._log(Generated(by, name))
        content = {"role": "model", "parts": [{"text": "as it was taught"}]}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        return Reply(200, {"candidates": [candidate], "usageMetadata": {}, "modelVersion": name})

    # Writing: always at the one replica that knows

    def create(self, model_id: str, body: Json, now: float, by: str) -> Reply:
        """Begin a run, once per id; where the service chooses ids, once per request."""
        self._tell_ends(now)
        refused = self._refused(body)
        if refused is not None:
            return refused
        self._made += 1
        name = f"tunedModels/{model_id}" if self.service.chooses_id else f"tunedModels/{self._chosen()}"
        held = self.models.get(name)
        if held is not None and held.version(now) is not None:
            return error(409, "ALREADY_EXISTS", f"Tuned model {name} already exists.")
        if name in self._reserved:
            return error(409, "ALREADY_EXISTS", f"The id of {name} was used before.")
        tuning = sum(m.version(now) is not None and m.state(now) == "CREATING" for m in self.models.values())
        if tuning >= self.service.quota and not self.healed:
            info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}
            return error(429, "RESOURCE_EXHAUSTED", "Too many tuning jobs are running.", info)
        model = self._begun(name, body, now)
        if self._fires("run", "run.dropped"):
            return Reply(200, self._operation(model, now))
        self.models[name] = model
        mark = _mark(model.versions[-1][1].description)
        self._log(Created(by, name, mark, model.inputs, self._price(body), self._made, self.repeating))
        return Reply(200, self._operation(model, now))

    def patch(self, name: str, mask: str, body: Json, now: float, by: str) -> Reply:
        """Change what the mask names."""
        model, version = self._held(name, now)
        if model is None or version is None:
            return error(404, "NOT_FOUND", f"Tuned model {name} does not exist.")
        fields = mask.split(",")
        display = str(body.get("displayName", "")) if "displayName" in fields else version.display
        text = self.service.stored(str(body.get("description", ""))) if "description" in fields else version.description
        wanted = {k: float(body[k]) for k in ("temperature", "topP", "topK") if k in fields and k in body}
        sampling = tuple(sorted((dict(version.sampling) | wanted).items()))
        said = "\n".join(line for line in text.splitlines() if not line.strip().startswith("gitune: ")).strip()
        new = replace(version, display=display, description=text, sampling=sampling)
        sent = frozenset((field, str(body[field])) for field in fields if field in body)
        state, mark = model.state(now), _mark(version.description)
        self._log(Changed(by, "update", name, state, mark, display, said, sent, vain=new == version))
        model.versions.append((now, new))
        return Reply(200, self._shown(model, now, by))

    def cancel(self, name: str, operation: str, now: float, by: str) -> Reply:
        """Stop a run that is going on, unless the cancel is a ``deaf`` one; a run that has ended stays as it is."""
        self._tell_ends(now)
        model, version = self._held(name, now)
        if model is None or version is None or operation != model.operation:
            return error(404, "NOT_FOUND", f"Operation {name}/operations/{operation} does not exist.")
        state = model.state(now)
        mark = _mark(version.description)
        self._log(Changed(by, "cancel", name, state, mark, vain=state == "CANCELLED", deaf=self.deaf))
        if state == "CREATING" and not self.deaf:
            model.versions.append((now, replace(version, state="CANCELLED")))
            model.told_end = True
        return Reply(200, {})

    def delete(self, name: str, now: float, by: str) -> Reply:
        """Take a model away for good."""
        model, version = self._held(name, now)
        if model is None or version is None:
            return error(404, "NOT_FOUND", f"Tuned model {name} does not exist.")
        self._log(Changed(by, "delete", name, model.state(now), _mark(version.description)))
        model.versions.append((now, replace(version, gone=True)))
        if self.service.reserves:
            self._reserved.add(name)
        return Reply(200, {})

    # The console

    def by_hand(self, name: str, change: Callable[[Version], Version], now: float, verb: str) -> None:
        """A person changes a model directly."""
        model, version = self._held(name, now)
        if model is None or version is None:
            return
        self._log(Changed("person", verb, name, model.state(now), _mark(version.description)))
        model.versions.append((now, change(version)))

    def plant(self, name: str, now: float, described: str = "made by hand", account: str = "") -> bool:
        """A person makes a model of their own under that name, where it is free.

        ``account`` is "" for ours; another one's is ``shared`` with ours, or ``closed`` to it.
        """
        if name in self.models:
            return False
        model = Model(name, Inputs("models/tiny", 1, None, "theirs"), now, now, "ACTIVE", foreign=True)
        model.shared, model.closed = account == "shared", account == "closed"
        model.versions.append((now, Version("Theirs", described)))
        self.models[name] = model
        return True

    def alive(self, now: float) -> list[Model]:
        """Every model that is truly there."""
        return [model for model in self.models.values() if model.version(now) is not None]

    def heal(self, now: float) -> None:
        """Faults of the service end: runs that would never end do, base models are back."""
        self.healed, self.base_tunable = True, True
        for model in self.models.values():
            model.operation_hidden = False
            if model.ends > now + self.service.longest:
                model.ends = now + 1.0

    def tell_ends(self, now: float) -> None:
        """Log the runs that ended by themselves until now."""
        self._tell_ends(now)

    def _tell_ends(self, now: float) -> None:
        for model in self.models.values():
            if not model.told_end and not model.foreign and model.ends <= now:
                model.told_end = True
                version = model.version(model.ends)
                if version is not None and not version.state:
                    self._log(Ended(model.name, model.end))

    def _held(self, name: str, now: float) -> tuple[Model | None, Version | None]:
        model = self.models.get(name)
        return model, model.version(now) if model else None

    def _refused(self, body: Json) -> Reply | None:
        if body.get("baseModel") != "models/tiny":
            return error(400, "INVALID_ARGUMENT", "The base model cannot be tuned.")
        if not self.base_tunable:
            return error(400, "INVALID_ARGUMENT", "The base model is retired.")
        return None

    def _chosen(self) -> str:
        return f"srv-{Draw(self.seed, f'id-{self._made}').number(10**9, 10**10 - 1)}"

    def _begun(self, name: str, body: Json, now: float) -> Model:
        given = body["tuningTask"]["hyperparameters"]
        rows = body["tuningTask"]["trainingData"]["examples"]["examples"]
        inputs = Inputs(
            body["baseModel"], given.get("epochCount"), given.get("batchSize"), f"{rows[0]['textInput']}/{len(rows)}"
        )
        draw = Draw(self.seed, f"run/{name}")
        ends, end = now + draw.between(self.service.shortest, self.service.longest), "ACTIVE"
        if self._fires("run", "run.fails"):
            end = "FAILED"
        elif self._fires("run", "run.cancelled"):
            end = "CANCELLED"
        elif self._fires("run", "run.endless"):
            ends = now + 10.0**9
        model = Model(name, inputs, now, ends, end)
        model.operation_hidden = self._fires("run", "run.operation-lost")
        model.operation, model.rate = f"run{self._made}", given.get("learningRate")
        sampling = tuple(sorted((k, float(body[k])) for k in ("temperature", "topP", "topK") if k in body))
        texts = str(body.get("displayName", "")), self.service.stored(str(body.get("description", "")))
        model.versions.append((now, Version(*texts, sampling)))
        return model

    def _price(self, body: Json) -> float:
        rows = body["tuningTask"]["trainingData"]["examples"]["examples"]
        size = sum(len(row["textInput"].encode()) + len(row["output"].encode()) for row in rows)
        epochs = body["tuningTask"]["hyperparameters"].get("epochCount") or 5
        return float(size * epochs / BYTES_PER_TOKEN / MICRO * self.service.price)

    def _shown(self, model: Model, at: float, by: str) -> Json:
        version = model.version(at)
        assert version is not None
        state = model.state(at)
        self._log(Seen(by, model.name, state, version.description, version.fields))
        ended = model.completed(at)
        body: Json = {
            "name": model.name,
            "baseModel": model.inputs.base,
            "displayName": version.display,
            "description": version.description,
            # The API has no word for a cancelled run: its model says FAILED, its operation says why.
            "state": "FAILED" if state == "CANCELLED" else state,
            "createTime": rfc3339(model.born),
            "updateTime": rfc3339(model.born),
            "tuningTask": {"hyperparameters": self._resolved(model), "snapshots": self._snapshots(model, at)},
        }
        if ended is not None:
            body["tuningTask"]["completeTime"] = rfc3339(ended)
        return body | dict(version.sampling)

    def _resolved(self, model: Model) -> Json:
        return {
            "epochCount": model.inputs.epochs or 5,
            "batchSize": model.inputs.batch or 4,
            "learningRate": model.rate or 0.001,
        }

    def _done(self, model: Model, at: float) -> int:
        if model.foreign:
            return model.steps
        share = min(1.0, (at - model.born) / max(1.0, min(model.ends - model.born, 10.0**5)))
        return int(model.steps * share)

    def _snapshots(self, model: Model, at: float) -> list[Json]:
        done, steps = self._done(model, at), model.steps
        epochs = model.inputs.epochs or 5
        return [
            {"step": s, "epoch": -(-s * epochs // steps), "meanLoss": round(4.0 / s, 6), "computeTime": ""}
            for s in range(5, done + 1, 5)
        ]

    def _operation(self, model: Model, at: float) -> Json:
        state = model.state(at) if model.version(at) is not None else "CREATING"
        body: Json = {
            "name": f"{model.name}/operations/{model.operation}",
            "metadata": {
                "tunedModel": model.name,
                "totalSteps": model.steps,
                "completedSteps": self._done(model, at),
            },
        }
        if state == "ACTIVE":
            body["done"] = True
        elif state != "CREATING":
            code, message = (1, "The run was cancelled.") if state == "CANCELLED" else (13, "The run failed.")
            body |= {"done": True, "error": {"code": code, "message": message}}
        return body


def error(code: int, status: str, message: str, *details: Json) -> Reply:
    """An error as google.rpc.Status has it."""
    held: Mapping[str, Any] = {"code": code, "message": message, "status": status, "details": list(details)}
    return Reply(code, {"error": dict(held)})


def _mark(description: str) -> str:
    """The mark line, read by nothing of the product."""
    lines = [line.strip() for line in description.splitlines() if line.strip().startswith("gitune: ")]
    return lines[0] if len(lines) == 1 else ""

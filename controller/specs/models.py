"""The fields of a ``TunedModel`` document: types, defaults, bounds and what each means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from controller.specs.data_uri import SCHEMA_PATTERN, BadUri, DataPin, parse_data_uri
from controller.specs.fields import API_VERSION, RELATIVE_PATTERN, Coded, Part, Text, refuse, relative
from controller.state.desired import DeletionPolicy, WhenSuperseded
from controller.state.identity import NAME

NAME_PATTERN = f"^{NAME.pattern}$"
_NAME_HINT = "use 1 to 40 of a-z, 0-9 and -, starting with a letter and not ending with -"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = r"^[1-9][0-9]{0,5}[smhd]$"
_LONGEST = 30 * 86400  # a tuning that takes longer than a month is a typing error
METRICS = ("exactMatch",)  # `controller.engine.score` counts by each of them
_LATER_METRICS = frozenset(
    {"f1", "rouge", "bleu", "accuracy", "precision", "recall", "contains", "regexmatch", "judge", "levenshtein"}
)

Name = Annotated[str, Field(pattern=NAME_PATTERN, examples=["next-number"]), Coded("GT010", _NAME_HINT)]
FormerName = Annotated[str, Field(pattern=NAME_PATTERN)]
LabelText = Annotated[Text, Field(max_length=63)]
LabelName = Annotated[Text, Field(min_length=1, max_length=63)]
Column = Annotated[Text, Field(min_length=1, max_length=200)]


def seconds(duration: str) -> float:
    """A duration such as ``90m`` in seconds; its form has been checked."""
    return float(int(duration[:-1]) * _SECONDS[duration[-1]])


class MetadataSection(Part):
    """Who this is."""

    name: Name
    """The identity of the model, unique in the repository. The file's path plays no part."""
    former_names: Annotated[
        tuple[FormerName, ...], Field(strict=False, max_length=20, examples=[["old-name"]]), Coded("GT024", _NAME_HINT)
    ] = ()
    """Earlier names of this model: its runs are taken over without paying again."""
    labels: Annotated[
        dict[LabelName, LabelText],
        Field(max_length=64, examples=[{"team": "demo"}]),
        Coded("GT038", "at most 64 labels, with names of 1 to 63 characters and values of at most 63"),
    ] = Field(default_factory=dict)
    """Free text pairs, for people and filters."""


class FromSpecSection(Part):
    """Another spec, on whose active run this one is tuned."""

    from_: Annotated[
        str, Field(pattern=NAME_PATTERN, alias="from", examples=["other-spec"]), Coded("GT010", _NAME_HINT)
    ]
    """The ``metadata.name`` of the other spec."""


def _base_kind(value: Any) -> str | None:  # noqa: ANN401 - called by pydantic with whatever the file holds
    if isinstance(value, str):
        return "name"
    return "spec" if isinstance(value, (dict, FromSpecSection)) else None


_BaseModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,199}$")]
_Base = Annotated[
    Annotated[_BaseModelName, Tag("name")] | Annotated[FromSpecSection, Tag("spec")], Discriminator(_base_kind)
]


class ColumnsSection(Part):
    """The names under which a row keeps its two texts."""

    input: Annotated[Column, Field(examples=["text_input"]), Coded("GT042", "write the name of a column")] = (
        "text_input"
    )
    """The column or key of the text that is asked."""
    output: Annotated[Column, Field(examples=["output"]), Coded("GT042", "write the name of a column")] = "output"
    """The column or key of the text that is answered."""

    @model_validator(mode="after")
    def _different(self) -> ColumnsSection:
        if self.input == self.output:
            raise refuse("GT042", "input and output are the same column", "name two different columns", "output")
        return self


def _dataset_uri(text: str) -> str:
    try:
        return parse_data_uri(text).text
    except BadUri as error:
        raise refuse("GT031", error.message, error.hint) from None


class DatasetFileSection(Part):
    """A file of examples."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["path"]}, {"required": ["uri"]}],
            "dependentRequired": {"uri": ["sha256"], "sha256": ["uri"]},
        }
    )

    path: (
        Annotated[
            Text,
            AfterValidator(lambda text: relative(text, "GT034")),
            Field(examples=["datasets/next-number.jsonl"], json_schema_extra={"pattern": RELATIVE_PATTERN}),
        ]
        | None
    ) = None
    """The file, relative to the spec file and read at the same commit. Give this or ``uri``."""
    uri: (
        Annotated[
            Text,
            AfterValidator(_dataset_uri),
            Field(examples=["gs://bucket/rows.jsonl"], json_schema_extra={"pattern": SCHEMA_PATTERN}),
        ]
        | None
    ) = None
    """The file at an https://, gs://, s3:// or hf:// address, pinned by ``sha256``; the operator lists what is read."""
    sha256: Annotated[
        str | None,
        Field(pattern="^[0-9a-f]{64}$", examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]),
        Coded("GT032", "write the 64 lower-case hex digits that `sha256sum` prints"),
    ] = None
    """SHA-256 of the file at ``uri``: a changed object is refused, never retrained on. `gitune pin` writes it."""
    format: Annotated[Literal["jsonl", "json", "csv", "tsv", "parquet", "xlsx"] | None, Field(examples=["jsonl"])] = (
        None
    )
    """How the file is written; by default its suffix says so. ``.gz`` and ``.zst`` behind it are unfolded."""
    delimiter: Annotated[
        Literal[",", ";", "\t", "|"] | None,
        Field(examples=[";"]),
    ] = None
    """What separates the columns of a CSV file; by default a comma, or what a first line such as ``sep=;`` says."""
    sheet: Annotated[Text | None, Field(min_length=1, max_length=31, examples=["Training"])] = None
    """Which sheet of a workbook is read, where it has several."""
    shape: Annotated[
        Literal["pairs", "messages", "contents", "promptCompletion", "alpaca", "sharegpt"] | None,
        Field(examples=["messages"]),
    ] = None
    """What a row looks like; by default what every row fits."""
    columns: Annotated[ColumnsSection, Field(examples=[{"input": "question", "output": "answer"}])] = ColumnsSection()
    """Which columns or keys hold the two texts of a row."""

    @property
    def pin(self) -> DataPin | None:
        """What is at the uri, where there is one."""
        return None if self.uri is None else DataPin(parse_data_uri(self.uri), self.sha256 or "")

    @model_validator(mode="after")
    def _one_source(self) -> DatasetFileSection:
        if self.path is not None and self.uri is not None:
            raise refuse("GT028", "path and uri are both given", "keep one of the two", "uri")
        if self.path is None and self.uri is None:
            raise refuse("GT029", "the dataset names no file", "add `path: datasets/next-number.jsonl`")
        if self.uri is not None and self.sha256 is None:
            hint = "add `sha256:` with the 64 hex digits that `sha256sum` prints, or let `gitune pin SPEC` write it"
            raise refuse("GT030", "a uri needs the sha256 of what it points to", hint, "uri")
        if self.uri is None and self.sha256 is not None:
            hint = "remove sha256: a path is read at the commit of its spec"
            raise refuse("GT030", "sha256 belongs to a uri, not to a path", hint, "sha256")
        return self


class TrainingDatasetSection(DatasetFileSection):
    """The examples a model is tuned on."""

    prefix: Annotated[
        Text, Field(max_length=10_000, examples=["Next number: "]), Coded("GT041", "keep it under 10,000 characters")
    ] = ""
    """Put before every input, of a conversation the first. Callers must send it too; the status records it."""
    system: Annotated[
        Text,
        Field(max_length=10_000, examples=["Answer in one word."]),
        Coded("GT041", "keep it under 10,000 characters"),
    ] = ""
    """The system message of rows that carry none, where the provider takes one. Callers must send it too."""
    learn: Annotated[Literal["last", "all"], Field(examples=["last"])] = "last"
    """Which turns of the model are learned: the last of each row, or all but those of weight 0."""


class HyperparametersSection(Part):
    """How the tuning runs. What is not written the provider decides."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["learningRate", "learningRateMultiplier"]}})

    epoch_count: Annotated[
        int | None, Field(ge=1, le=1000, examples=[5]), Coded("GT012", "5 epochs are a good start")
    ] = None
    """How often the whole dataset is gone through."""
    batch_size: Annotated[int | None, Field(ge=1, le=64, examples=[4]), Coded("GT013", "4 is a good start")] = None
    """How many examples make one step."""
    learning_rate: Annotated[
        float | None, Field(gt=0, le=1, examples=[0.001]), Coded("GT014", "0.001 is a good start")
    ] = None
    """How far one step goes. Give this or ``learningRateMultiplier``."""
    learning_rate_multiplier: Annotated[
        float | None, Field(gt=0, le=1000, examples=[1.0]), Coded("GT015", "1.0 keeps the base model's own rate")
    ] = None
    """A factor on the base model's own learning rate."""

    @model_validator(mode="after")
    def _one_rate(self) -> HyperparametersSection:
        if self.learning_rate is not None and self.learning_rate_multiplier is not None:
            message = "learningRate and learningRateMultiplier are both given"
            raise refuse("GT011", message, "keep one of the two", "learningRateMultiplier")
        return self


class SamplingSection(Part):
    """What the tuned model answers with unless a call says otherwise."""

    temperature: Annotated[
        float | None, Field(ge=0, le=1, examples=[0.7]), Coded("GT017", "0 always gives the likeliest answer")
    ] = None
    """How freely an answer is drawn."""
    top_p: Annotated[float | None, Field(ge=0, le=1, examples=[0.95]), Coded("GT018", "0.95 is usual")] = None
    """The share of probability an answer is drawn from."""
    top_k: Annotated[int | None, Field(ge=1, le=1000, examples=[40]), Coded("GT019", "40 is usual")] = None
    """How many of the likeliest tokens an answer is drawn from."""


class LimitsSection(Part):
    """Where a run is stopped."""

    max_duration: Annotated[
        str | None,
        Field(pattern=_DURATION, examples=["24h"]),
        Coded("GT023", "write a whole number and s, m, h or d, such as 90m, 24h or 2d", for_types=True),
    ] = None
    """A run that takes longer is cancelled and the spec stalls."""

    @model_validator(mode="after")
    def _not_too_long(self) -> LimitsSection:
        if (self.seconds or 0) > _LONGEST:
            raise refuse("GT023", "maxDuration must be at most 30d", "write a shorter time, such as 24h", "maxDuration")
        return self

    @property
    def seconds(self) -> float | None:
        """The longest duration of a run in seconds; None where there is no limit."""
        return None if self.max_duration is None else seconds(self.max_duration)


def _metric(text: str) -> str:
    if text in METRICS:
        return text
    hint = f"write {' or '.join(f'`metric: {one}`' for one in METRICS)}"
    if text.lower() in _LATER_METRICS:
        raise refuse("GT026", f"the metric {text} is not built yet", hint)
    raise refuse("GT027", "this metric is not known", hint)


class EvaluationSection(Part):
    """The examination a new run has to pass before it serves."""

    dataset: Annotated[DatasetFileSection, Field(examples=[{"path": "datasets/next-number.eval.jsonl"}])]
    """The questions and the answers expected."""
    metric: Annotated[
        str, AfterValidator(_metric), Field(examples=["exactMatch"], json_schema_extra={"enum": list(METRICS)})
    ] = "exactMatch"
    """How answers are compared: ``exactMatch`` counts those that are equal. Others are not built yet."""
    min_score: Annotated[
        float, Field(ge=0, le=1, examples=[0.8]), Coded("GT021", "0.8 asks for eight right answers of ten")
    ]
    """The share of right answers a run needs to become active."""


class SpecSection(Part):
    """What is wanted."""

    provider: Annotated[
        str | None, Field(pattern="^[a-z][a-z0-9-]{0,39}$", examples=["local"]), Coded("GT315", _NAME_HINT)
    ] = None
    """Who tunes: a key of ``providers`` in gitune.yaml; by default its ``defaultProvider``."""
    base_model: Annotated[
        _Base,
        Field(examples=["models/tiny"]),
        Coded(
            "GT037",
            "write the name that the provider gives the model, or `{from: other-spec}` to tune on another spec's model",
            for_types=True,
        ),
    ]
    """What is tuned: a model as its provider names it (``models/…``), or ``{from: name}``: another spec's run."""
    display_name: Annotated[
        Text | None, Field(min_length=1, max_length=40, examples=["Next number"]), Coded("GT016", "shorten it")
    ] = None
    """A title of at most 40 characters, as the provider's pages show it."""
    description: Annotated[
        Text | None, Field(max_length=4000, examples=["Says the number that follows."]), Coded("GT036", "shorten it")
    ] = None
    """What the model is for. The provider keeps it together with our owner mark."""
    task_type: Annotated[
        Literal["classification", "summarization", "search", "other"], Field(examples=["classification"])
    ] = "other"
    """What kind of task it is: picks the advised dataset size."""
    dataset: Annotated[TrainingDatasetSection, Field(examples=[{"path": "datasets/next-number.jsonl"}])]
    """The examples."""
    hyperparameters: Annotated[HyperparametersSection, Field(examples=[{"epochCount": 5}])] = HyperparametersSection()
    """How the tuning runs."""
    sampling: Annotated[SamplingSection, Field(examples=[{"temperature": 0.7}])] = SamplingSection()
    """What the tuned model answers with by default."""
    attempt: Annotated[
        int, Field(ge=1, le=999_999, examples=[1]), Coded("GT020", "raise it by one to pay for the same inputs again")
    ] = 1
    """How often these inputs may be paid for; raise it to run them again."""
    suspend: Annotated[bool, Field(examples=[False])] = False
    """Observe and report only."""
    when_superseded: Annotated[WhenSuperseded, Field(strict=False, examples=["Cancel"])] = WhenSuperseded.CANCEL
    """What a pending run gets when its spec moves on."""
    deletion_policy: Annotated[DeletionPolicy, Field(strict=False, examples=["Orphan"])] = DeletionPolicy.ORPHAN
    """What becomes of the remote model when this file is gone."""
    run_history_limit: Annotated[
        int, Field(ge=0, le=100, examples=[2]), Coded("GT022", "2 keeps the last two models for free reverts")
    ] = 2
    """How many retired runs are kept for free reverts."""
    limits: Annotated[LimitsSection, Field(examples=[{"maxDuration": "24h"}])] = LimitsSection()
    """Where a run is stopped."""
    evaluation: Annotated[EvaluationSection | None, Field(examples=[{"minScore": 0.8}])] = None
    """The examination a new run has to pass before it serves."""


class TunedModel(Part):
    """One tuned model that should exist."""

    api_version: Annotated[Literal["gitune.dev/v1alpha1"], Coded("GT004", f"write `apiVersion: {API_VERSION}`")]
    """The format of this document."""
    kind: Annotated[Literal["TunedModel"], Coded("GT005", "write `kind: TunedModel`")]
    """What this document describes."""
    metadata: Annotated[MetadataSection, Field(examples=[{"name": "next-number"}])]
    """Who this is."""
    spec: Annotated[SpecSection, Field(examples=[{"baseModel": "models/tiny"}])]
    """What is wanted."""

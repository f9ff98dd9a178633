"""Each problem a spec file or gitune.yaml can have: a code to its severity and meaning; and a team's own severities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from controller.errors import Problem, ProblemCode, Severity


def _error(meaning: str) -> ProblemCode:
    return ProblemCode(Severity.ERROR, meaning)


def _warning(meaning: str) -> ProblemCode:
    return ProblemCode(Severity.WARNING, meaning)


_FIELDS = {
    # the shape of a document
    "GT001": _error("there is no such field"),
    "GT002": _error("a required field is missing"),
    "GT003": _error("a value is of the wrong type"),
    "GT004": _error("the apiVersion is not one that is read"),
    "GT005": _error("the kind is not one that is read here"),
    "GT006": _error("the kind is missing"),
    "GT007": _error("a document is a list or a text, not a mapping"),
    "GT008": _error("the apiVersion is missing"),
    "GT009": _error("a value is not one of the words allowed"),
    "GT040": _error("a field has no value"),
    # the fields of a TunedModel
    "GT010": _error("a name is not written as names are"),
    "GT011": _error("learningRate and learningRateMultiplier are both given"),
    "GT012": _error("epochCount is out of its bounds"),
    "GT013": _error("batchSize is out of its bounds"),
    "GT014": _error("learningRate is out of its bounds"),
    "GT015": _error("learningRateMultiplier is out of its bounds"),
    "GT016": _error("displayName is empty or longer than 40 characters"),
    "GT017": _error("temperature is outside 0 to 1"),
    "GT018": _error("topP is outside 0 to 1"),
    "GT019": _error("topK is out of its bounds"),
    "GT020": _error("attempt is out of its bounds"),
    "GT021": _error("minScore is outside 0 to 1"),
    "GT022": _error("runHistoryLimit is out of its bounds"),
    "GT023": _error("maxDuration is not a duration, or longer than 30 days"),
    "GT024": _error("formerNames holds something that cannot be a name, or too many"),
    "GT026": _error("the metric is not built yet"),
    "GT027": _error("the metric is not known"),
    "GT028": _error("a dataset has both a path and a uri"),
    "GT029": _error("a dataset names no file"),
    "GT030": _error("sha256 is missing for a uri, or given with a path"),
    "GT031": _error("a dataset's uri is not an address that data is read from"),
    "GT032": _error("sha256 is not 64 hex digits"),
    "GT034": _error("a dataset's path is not a relative path"),
    "GT035": _error("a dataset's path leaves the repository"),
    "GT036": _error("description is longer than 4,000 characters"),
    "GT037": _error("baseModel is not written as the provider names base models"),
    "GT038": _error("labels are too many, too long or without a name"),
    "GT039": _error("a text holds a character that cannot be seen"),
    "GT041": _error("prefix or system is longer than 10,000 characters"),
    "GT042": _error("columns are without a name, or the same"),
}
_YAML = {
    "GT101": _error("the file is not UTF-8"),
    "GT102": _error("the file holds a control character"),
    "GT103": _error("the file holds an invisible character"),
    "GT104": _warning("the file starts with a byte-order mark"),
    "GT105": _error("a tab is used for indentation"),
    "GT106": _error("the file is larger than 1 MiB"),
    "GT107": _error("values are nested more than 50 levels deep"),
    "GT108": _error("a document uses more than 20 aliases"),
    "GT109": _error("an alias is used inside its own value"),
    "GT110": _error("merge keys are not allowed"),
    "GT111": _error("tags are not allowed"),
    "GT112": _error("a key is there twice"),
    "GT113": _error("a key is not text"),
    "GT114": _error("a number is not finite, or too long"),
    "GT115": _error("a single value or line is too long"),
    "GT116": _error("the file holds more than 500 documents"),
    "GT117": _error("directives are not allowed"),
    "GT118": _error("an alias has no anchor"),
    "GT120": _error("the text is not valid YAML"),
    "GT121": _error("a bracket is not closed, or a comma is missing"),
    "GT122": _error("a quote is not closed"),
    "GT123": _error("a colon is missing, or one too many"),
    "GT124": _error("the indentation does not fit"),
    "GT125": _error("a character cannot start a value"),
    "GT126": _error("the file holds the markers of an unfinished merge"),
    "GT127": _error("the file holds too many values"),
    "GT128": _warning("a spec file is empty"),
    "GT129": _error("an escape in double quotes is not known"),
    "GT130": _error("a document has a hundred problems, and the rest of it was not read"),
}
_REFERENCES = {
    "GT301": _error("a name is used by more than one spec"),
    "GT302": _error("a former name is in use"),
    "GT303": _error("the base spec does not exist"),
    "GT304": _error("a spec is its own base"),
    "GT305": _error("specs are tuned on each other in a circle"),
    "GT306": _error("the base spec has another provider"),
    "GT307": _error("the provider is not in gitune.yaml"),
    "GT308": _error("the base spec is not valid"),
}
_CONTROLLER = {
    "GT310": _error("gitune.yaml is not one mapping"),
    "GT311": _error("apiVersion or kind of gitune.yaml is not as it must be"),
    "GT312": _error("instance is not written as ids are"),
    "GT313": _error("a pattern of specs cannot be used"),
    "GT314": _error("the default provider is not among the providers"),
    "GT315": _error("a provider's key is not written as keys are, or there is none"),
    "GT316": _error("the type of a provider is not known, or not built yet"),
    "GT317": _error("an endpoint cannot be used, or would give a key away"),
    "GT318": _error("apiKeyEnv is not the name of an environment variable"),
    "GT319": _error("a limit of a provider is out of its bounds"),
    "GT320": _error("the ledger has both a directory and a branch"),
    "GT321": _error("the ledger's branch or remote has a name that git does not allow"),
    "GT322": _error("maxDeletes or maxCreates is out of its bounds"),
    "GT323": _error("policy.checks names a code that does not exist"),
    "GT324": _error("policy.checks names a code whose severity cannot be lowered"),
    "GT325": _error("policy.checks gives a severity that does not exist"),
    "GT326": _error("the budget is not an amount and a currency"),
    "GT328": _error("the ledger's directory is not a path in the repository"),
    "GT329": _error("a price table is not a day, a currency and prices"),
    "GT330": _error("the grace period of deletions is not a duration"),
    "GT331": _error("showing sample rows is not built yet"),
    "GT332": _error("policy.requireReview is neither pullRequest nor none"),
    "GT333": _error("the time in which edits settle is not a duration"),
    "GT334": _error("gitune.yaml would send a secret to an endpoint that nobody outside of it has named"),
}
_DAEMON = {
    "GT340": _error("a file of repositories is not one mapping"),
    "GT341": _error("apiVersion or kind of a file of repositories is not as it must be"),
    "GT342": _error("a repository's name is not written as names are, or none is listed"),
    "GT343": _error("a repository has no place or two, or a field of the other kind"),
    "GT344": _error("a repository's address, folder or branch cannot be used"),
    "GT345": _error("tokenEnv is not the name of an environment variable that is there"),
    "GT346": _error("a repository's interval is not a duration of at most a day"),
    "GT347": _error("a repository, or the name of one, is there twice"),
    "GT348": _error("variables holds something that is not the name of an environment variable that is there"),
    "GT349": _error("trustedEndpoints holds something that is not an address to send a key to"),
    "GT350": _error("dataSources holds something that is not an address data is read from"),
}

CODES: Mapping[str, ProblemCode] = MappingProxyType(_FIELDS | _YAML | _REFERENCES | _CONTROLLER | _DAEMON)

# The checks of datasets that a team may judge otherwise. The others leave rows unread, so nothing could be tuned.
DATASET_CHECKS = frozenset(f"GT{number}" for number in (*range(202, 215), *range(216, 226), *range(231, 237), 244, 257))
CHANGEABLE = DATASET_CHECKS | {name for name, code in CODES.items() if code.severity is not Severity.ERROR}


def with_severities(problems: Iterable[Problem], checks: Mapping[str, Severity]) -> tuple[Problem, ...]:
    """The problems, each with the severity ``checks`` gives its code.

    `load_settings` has refused wishes that lower what protects from a crash or from the service's limits.
    """
    return tuple(replace(p, severity=checks[p.code]) if p.code in checks else p for p in problems)

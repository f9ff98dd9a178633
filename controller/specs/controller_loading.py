"""The bytes of gitune.yaml to settings, and every problem in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pydantic import ValidationError

from controller.documents import Document, Spot, Value, parse
from controller.errors import Problem, Severity
from controller.settings import (
    DEFAULT_PROVIDERS,
    SETTINGS_FILE,
    Budget,
    LedgerSettings,
    Policy,
    Prices,
    ProviderSettings,
    RequireReview,
    Settings,
)
from controller.specs.codes import CHANGEABLE, CODES
from controller.specs.controller_model import Budget as BudgetField
from controller.specs.controller_model import Controller, Provider
from controller.specs.controller_model import Prices as PricesField
from controller.specs.loading import SPEC_LIMITS
from controller.specs.models import seconds
from controller.specs.wording import problems as worded

_ELSEWHERE = re.compile(r"GT[24][0-9]{2}")  # datasets, and what can be read: their rooms hold the tables
_DEFAULTS = Settings()
_KIND_HINT = "start it with `apiVersion: gitune.dev/v1alpha1` and `kind: Controller`"


def load_settings(data: bytes | None, file: str = SETTINGS_FILE) -> tuple[Settings, tuple[Problem, ...]]:
    """The settings of a repository, and what is wrong with its gitune.yaml; without the file, the defaults.

    Where a problem is an error the settings are the defaults and must not be used: nobody asked for them.
    """
    if data is None:
        return Settings(), ()
    parsed = parse(data, file, SPEC_LIMITS)
    found = parsed.problems
    if len(parsed.documents) != 1:
        if not any(p.severity is Severity.ERROR for p in found):
            found += (_not_one(parsed.documents, file),)
        return Settings(), tuple(sorted(found))
    settings, more = _settings(parsed.documents[0])
    found = tuple(sorted({*found, *more}))
    return (Settings() if any(p.severity is Severity.ERROR for p in found) else settings), found


def _not_one(documents: tuple[Document, ...], file: str) -> Problem:
    spot = documents[1].place if documents else Spot(1, 1)
    message = f"the file holds {len(documents)} documents, it must hold one"
    return Problem(file, spot.line, spot.column, "GT310", message, hint=_KIND_HINT)


def _settings(document: Document) -> tuple[Settings, tuple[Problem, ...]]:
    if not document.whole:
        return Settings(), ()
    if not isinstance(document.value, dict):
        spot = document.place
        return Settings(), (
            Problem(document.file, spot.line, spot.column, "GT310", "this is not a mapping", hint=_KIND_HINT),
        )
    checks = tuple(_checks(document, document.value))
    try:
        model = Controller.model_validate(document.value)
    except ValidationError as error:
        return Settings(), (*worded(document, Controller, error), *checks)
    found = (*worded(document, Controller, None), *checks, *_default_provider(document, model))
    return _values(model), found


def _checks(document: Document, value: Mapping[str, Value]) -> Iterator[Problem]:
    """What is wrong with the codes in ``policy.checks``; its severities are looked at with the other values."""
    policy = value.get("policy")
    checks = policy.get("checks") if isinstance(policy, dict) else None
    for code, severity in checks.items() if isinstance(checks, dict) else ():
        spot = document.key_place(("policy", "checks", code))
        if code not in CODES and not _ELSEWHERE.fullmatch(code):
            close = difflib.get_close_matches(code.upper(), sorted(CHANGEABLE), 1)
            hint = f"did you mean {close[0]}?" if close else "write a code as it is printed, such as GT209"
            yield Problem(document.file, spot.line, spot.column, "GT323", "no problem has this code", hint=hint)
        elif code not in CHANGEABLE and severity != Severity.ERROR:
            message = f"the severity of {code} cannot be lowered"
            hint = "remove it here and correct what it points at: it could not be tuned as it is"
            yield Problem(document.file, spot.line, spot.column, "GT324", message, hint=hint)


def _default_provider(document: Document, model: Controller) -> Iterator[Problem]:
    chosen = model.default_provider or _DEFAULTS.default_provider
    if chosen in model.providers:
        return
    path = ("defaultProvider",) if model.default_provider else ("providers",)
    spot = document.value_place(path) if model.default_provider else document.key_place(path)
    message = f"the default provider {chosen} is not among the providers"
    hint = f"write `defaultProvider: {min(model.providers)}`, or add {chosen} to providers"
    yield Problem(document.file, spot.line, spot.column, "GT314", message, hint=hint)


def _values(model: Controller) -> Settings:
    is_given = "providers" in model.model_fields_set
    providers = {key: _provider(key, provider) for key, provider in model.providers.items()}
    policy = model.policy
    return Settings(
        instance=model.instance,
        specs=model.specs,
        default_provider=model.default_provider or _DEFAULTS.default_provider,
        providers=MappingProxyType(providers) if is_given else DEFAULT_PROVIDERS,
        ledger=LedgerSettings(
            branch=model.ledger.branch or _DEFAULTS.ledger.branch,
            remote=model.ledger.remote,
            directory=model.ledger.directory,
        ),
        policy=Policy(
            max_deletes=policy.max_deletes,
            max_creates=policy.max_creates,
            checks=MappingProxyType(dict(policy.checks)),
            delete_grace=seconds(policy.delete_grace),
            require_review=RequireReview(policy.require_review),
            budget=_budget(policy.budget) if policy.budget else None,
        ),
    )


def _budget(model: BudgetField) -> Budget:
    amount, currency = model.per_month.split(" ")
    return Budget(float(amount), currency)


def _prices(model: PricesField) -> Prices:
    return Prices(model.as_of, model.currency, MappingProxyType(dict(model.per_million_tokens)))


def _provider(key: str, model: Provider) -> ProviderSettings:
    return ProviderSettings(
        key=key,
        type=model.provider_type,
        endpoint=model.endpoint,
        api_key_env=model.api_key_env,
        max_concurrent_runs=model.max_concurrent_runs,
        requests_per_minute=model.requests_per_minute,
        prices=_prices(model.prices) if model.prices else None,
    )

"""The bytes of gitune.yaml to settings, and every problem in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import cast

from controller.documents import Document
from controller.errors import Problem, Severity
from controller.settings import (
    DEFAULT_PROVIDERS,
    SETTINGS_FILE,
    Budget,
    LedgerSettings,
    Policy,
    Prices,
    ProviderSettings,
    ProviderType,
    RequireReview,
    Settings,
)
from controller.specs.codes import CHANGEABLE, CODES
from controller.specs.controller_model import Controller, ProviderSection
from controller.specs.loading import problem_at, read_one
from controller.specs.models import seconds

_ELSEWHERE = re.compile(r"GT[24][0-9]{2}")  # datasets, and what can be read: their rooms hold the tables
_DEFAULTS = Settings()


def load_settings(data: bytes | None, file: str = SETTINGS_FILE) -> tuple[Settings, tuple[Problem, ...]]:
    """The settings of a repository, and what is wrong with its gitune.yaml; without the file, the defaults.

    Where a problem is an error the settings are the defaults and must not be used: nobody asked for them.
    """
    if data is None:
        return Settings(), ()
    document, model, found = read_one(data, file, Controller, "GT310")
    if document is not None:
        found += tuple(_checks(document))
    if document is not None and model is not None:
        found += tuple(_default_provider(document, model))
    found = tuple(sorted(set(found)))
    if document is None or model is None or any(p.severity is Severity.ERROR for p in found):
        return Settings(), found
    return _values(document, model), found


def _checks(document: Document) -> Iterator[Problem]:
    """What is wrong with the codes in ``policy.checks``; its severities are looked at with the other values."""
    policy = document.value.get("policy") if isinstance(document.value, dict) else None
    checks = policy.get("checks") if isinstance(policy, dict) else None
    for code, severity in checks.items() if isinstance(checks, dict) else ():
        spot = document.key_place(("policy", "checks", code))
        if code not in CODES and not _ELSEWHERE.fullmatch(code):
            close = difflib.get_close_matches(code.upper(), sorted(CHANGEABLE), 1)
            hint = f"did you mean {close[0]}?" if close else "write a code as it is printed, such as GT209"
            yield problem_at(document, spot, "GT323", "no problem has this code", hint)
        elif code not in CHANGEABLE and severity != Severity.ERROR:
            message = f"the severity of {code} cannot be lowered"
            hint = "remove it here and correct what it points at: it could not be tuned as it is"
            yield problem_at(document, spot, "GT324", message, hint)


def _default_provider(document: Document, model: Controller) -> Iterator[Problem]:
    chosen = model.default_provider or _DEFAULTS.default_provider
    if chosen in model.providers:
        return
    path = ("defaultProvider",) if model.default_provider else ("providers",)
    spot = document.value_place(path) if model.default_provider else document.key_place(path)
    message = f"the default provider {chosen} is not among the providers"
    hint = f"write `defaultProvider: {min(model.providers)}`, or add {chosen} to providers"
    yield problem_at(document, spot, "GT314", message, hint)


def _values(document: Document, model: Controller) -> Settings:
    is_given = "providers" in model.model_fields_set
    providers = {key: _provider(document, key, provider) for key, provider in model.providers.items()}
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
            settle=None if policy.settle is None else seconds(policy.settle),
            require_review=RequireReview(policy.require_review),
            budget=_budget(policy.budget.per_month) if policy.budget else None,
        ),
    )


def _budget(per_month: str) -> Budget:
    amount, currency = per_month.split(" ")
    return Budget(float(amount), currency)


def _provider(document: Document, key: str, model: ProviderSection) -> ProviderSettings:
    prices, spot = model.prices, document.value_place(("providers", key, "endpoint"))
    return ProviderSettings(
        key=key,
        type=cast("ProviderType", model.type),  # one of them: the model has looked
        endpoint=model.endpoint,
        api_key_env=model.api_key_env if "api_key_env" in model.model_fields_set else None,
        max_concurrent_runs=model.max_concurrent_runs,
        requests_per_minute=model.requests_per_minute,
        prices=Prices(prices.as_of, prices.currency, MappingProxyType(dict(prices.per_million_tokens)))
        if prices
        else None,
        place=f"{document.file}:{spot.line}:{spot.column}",
    )

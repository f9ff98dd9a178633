"""The applied branch to one pass in which nothing is done for a spec without a grant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.engine.reconcile import Approval, Pass, Refused, follow, reconcile
from controller.errors import CodeHostError, ControllerError, LedgerError, RevisionConflict, SourceError
from controller.plan.actions import Hold, Outcome
from controller.plan.world import ReviewRule
from controller.ports import Opened
from controller.ports.code_host import CodeHost
from controller.review.grants import ApplyOrder, Claim, Judge, write_reviews
from controller.state.reasons import Reason

_TRIES: Final = 5  # passes that were overtaken by another writer, or by a world that moved between look and act
_OFTEN, _SELDOM = 1.0, 10.0  # seconds between two looks at runs: at a server of one's own, at a service


@dataclass(frozen=True, slots=True)
class Applying:
    """What is applied: the tip ``revision`` of ``branch``, by order of a person where there is one.

    ``wait`` follows the runs until they end.
    """

    branch: str
    revision: str
    order: ApplyOrder | None = None
    wait: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How it went: the pass, or what refused it; ``failure`` is what the code host or the ledger did not do.

    ``pulls`` are the pull requests that were looked at, ``unreviewed`` the models held for want of a review.
    """

    done: Pass | None = None
    refusal: Refused | None = None
    failure: ControllerError | None = None
    pulls: frozenset[int] = frozenset()

    @property
    def unreviewed(self) -> Mapping[str, str]:
        """By name why nothing was done: what no grant covers, or what was refused."""
        return {o.action.name: o.action.message for o in self.done.outcomes if _is_unreviewed(o)} if self.done else {}


async def apply(host: CodeHost, opened: Opened, what: Applying) -> Applied:
    """Ask who reviewed what, write it down, and make the pass.

    A code host that fails never stops the pass: what is granted already goes on, all else that needs a grant waits.
    Raises `SourceError`, and `TakenBefore` for an order that was taken already.
    """
    seen: frozenset[int] = frozenset()
    failure: ControllerError | None = None
    order, claimed = what.order, False
    for attempt in range(_TRIES):
        try:
            decided = await Judge(host, opened, what.branch, what.revision, order).decide()
            seen |= decided.pulls
            await write_reviews(opened, decided, None if claimed else await _claim(host, opened, what))
            claimed, failure = True, None
        except (CodeHostError, SourceError) as error:
            failure = error
            if order is not None and not claimed:
                raise  # nothing is done on the word of somebody who could not be asked about
        except (RevisionConflict, LedgerError) as error:
            return Applied(failure=error, pulls=seen)
        try:
            return Applied(done=await _pass(opened, what), failure=failure, pulls=seen)
        except Refused as refusal:
            return Applied(refusal=refusal, failure=failure, pulls=seen)
        except RevisionConflict as error:
            if attempt == _TRIES - 1:
                return Applied(failure=error, pulls=seen)
        except LedgerError as error:
            return Applied(failure=error, pulls=seen)
    raise AssertionError("the last try returns or raises")


async def _claim(host: CodeHost, opened: Opened, what: Applying) -> Claim | None:
    """The models of the order's pull request: its command is taken once for all of them."""
    if what.order is None:
        return None
    pull = await host.pull(what.order.pull)
    names = await Judge(host, opened, what.branch, what.revision).changed_by(pull)
    if not names:
        raise ControllerError("this pull request changed no model", hint="Say it on the one that did.")
    return Claim(what.order.comment, names)


async def _pass(opened: Opened, what: Applying) -> Pass:
    """The pass; with ``wait``, then passes on the same commit until nothing tunes any more."""
    allow = what.order.allow if what.order is not None else frozenset[str]()
    approval = Approval(allow=allow, revision=what.revision, review=ReviewRule.GRANTS)
    last = await reconcile(opened.ports, opened.settings, approval)
    if not what.wait:
        return last
    free = all(provider.facts.free for provider in opened.ports.providers.values())
    async for done in follow(opened.ports, opened.settings, approval, _OFTEN if free else _SELDOM):
        last = done
    return last


def _is_unreviewed(outcome: Outcome) -> bool:
    return isinstance(outcome.action, Hold) and outcome.action.reason is Reason.NOT_REVIEWED

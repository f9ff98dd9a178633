"""The intent of a create and what happens to its requests, to the intent that follows.

An intent is durable before a request leaves, and is closed (None) only once its outcome is known:

| what happens | it was Open | Refused | Lost | Repeated |
|---|---|---|---|---|
| the same create is decided again | Repeated | Repeated | Repeated | Repeated |
| another create is decided | a new one, Open | a new one | a new one | a new one |
| the provider refuses, and may be asked again | Refused | Refused | Lost | Repeated |
| the provider refuses for good | closed | closed | closed | closed |
| the provider could not be reached | Open | Refused | Lost | Repeated |
| the request surely never left | closed | closed | Lost | Repeated |
| the answer is lost | Lost, since now | Lost, since now | Lost, since now | Repeated |
| other inputs are asked for, and it is waited for | Open | Refused | Lost | Lost, since now |
| its model is recorded | closed | closed | closed | closed |

Where the provider chooses the id, a refusal closes it too: it names no model, and would look like a lost answer.
"""

from __future__ import annotations

from dataclasses import replace

from controller.plan.actions import Adopt, Tune
from controller.plan.world import When
from controller.state.reasons import Reason
from controller.state.recorded import Answer, Intent


def opened(action: Tune, revision: str, nonce: str, at: When) -> Intent:
    """The intent of a create that is decided at that moment."""
    return Intent(
        model=action.model,
        fingerprint=action.fingerprint,
        attempt=action.attempt,
        nonce=nonce,
        revision=revision,
        provider=action.provider,
        since=at.ours,
        told=at.told,
        cost=action.cost.high if action.cost else None,
        training=action.desired.training,
    )


def sent_again(known: Intent | None, new: Intent) -> Intent:
    """The one on record where it is of the same create: one more is about to leave, which nobody may come to record."""
    if known is None:
        return new
    of = (known.model, known.fingerprint, known.attempt, known.provider)
    same = of == (new.model, new.fingerprint, new.attempt, new.provider)
    return replace(known, answer=Answer.REPEATED) if same else new


def answered(intent: Intent, reason: Reason, at: When) -> Intent | None:
    """After a create that made nothing to be seen; ``reason`` says why."""
    if reason is Reason.OUTCOME_UNKNOWN:
        return intent if intent.answer is Answer.REPEATED else _lost(intent, at)
    if reason.traits.not_sent:
        return not_sent(intent)
    if not intent.model or not reason.traits.keeps_intent:
        return None
    if reason.traits.refused and intent.answer is Answer.OPEN:
        return replace(intent, answer=Answer.REFUSED)
    return intent


def not_sent(intent: Intent) -> Intent | None:
    """The request of this pass surely never left: nobody has to look for a model, unless one left earlier."""
    return intent if intent.answer in {Answer.LOST, Answer.REPEATED} else None


def waited_for(intent: Intent | None, at: When, since: When) -> Intent | None:
    """What was sent at times that are not recorded is waited for from the first pass that no longer asks for it.

    ``since`` is when the others were sent, as far as that can be right.
    """
    if intent is None:
        return None
    if intent.answer is Answer.REPEATED:
        return _lost(intent, at)
    return replace(intent, since=since.ours, told=since.told)


def _lost(intent: Intent, at: When) -> Intent:
    return replace(intent, answer=Answer.LOST, since=at.ours, told=at.told)


def closed(intent: Intent | None, action: Tune | Adopt) -> Intent | None:
    """None once the model of its create is recorded; one that another controller has opened meanwhile stays."""
    its_own = intent is not None and (intent.fingerprint, intent.attempt) == (action.fingerprint, action.attempt)
    return None if its_own else intent

"""The comments of a repository to what was reviewed and merged, and which of it does not hold any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.cli.on_github.sticky import find, ours
from controller.engine.reconcile import Preview
from controller.plan.actions import Action, Adopt, Hold, Nothing, Promote, Wait
from controller.ports import Forge
from controller.report.approval import moved
from controller.report.marker import Marker, Stage, read
from controller.state.review import Comment, Pull

_PAGES = 5  # of a hundred comments each: what was merged lately


@dataclass(frozen=True, slots=True)
class Review:
    """One merged pull request, its comment and what that remembers; ``marker`` None: nothing that can be read."""

    pull: int
    comment: Comment | None
    marker: Marker | None
    head: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The models it speaks of."""
        stamps = self.marker.stamps if self.marker else None
        return tuple(dict.fromkeys(stamp.name for stamp in stamps or ()))

    @property
    def is_open(self) -> bool:
        """Whether its story goes on."""
        return self.marker is not None and self.marker.stage is not Stage.DONE


async def merged_reviews(forge: Forge, commit: str) -> tuple[Review, ...]:
    """The pull requests a commit came from, and every other merged one whose story goes on. Raises `ForgeError`."""
    found: dict[int, Review] = {}
    for pull in await forge.pulls_of(commit):
        if pull.merged:
            comment = await find(forge, pull.number)
            found[pull.number] = _review(pull, comment)
    for comment in await ours(forge, await forge.latest_comments(_PAGES)):
        if not comment.pull or comment.pull in found:
            continue
        marker = read(comment.body)
        if marker is None or marker.stage is Stage.DONE:
            continue
        if marker.stage is Stage.PLANNED:
            pull = await forge.pull(comment.pull)
            if pull.merged:
                found[comment.pull] = _review(pull, comment)
        else:
            found[comment.pull] = Review(comment.pull, comment, marker, marker.head)
    return tuple(found.values())


def _review(pull: Pull, comment: Comment | None) -> Review:
    return Review(pull.number, comment, read(comment.body) if comment else None, pull.head)


def does_something(action: Action) -> bool:
    """Whether the action pays, changes or takes away."""
    return not isinstance(action, Adopt | Hold | Nothing | Promote | Wait)


def withheld(reviews: Sequence[Review], now: Preview, config: str, changed: frozenset[str]) -> Mapping[str, str]:
    """By name, why a review does not cover what would now be done. ``changed`` are the names of the last merge.

    A name that another merged review covers as it is now is not withheld.
    """
    refused: dict[str, str] = {}
    covered: set[str] = set()
    acting = {action.name for action in now.plan.actions if does_something(action)}
    for review in reviews:
        marker = review.marker
        if marker is None:
            why = f"pull request {review.pull} has no plan that can be read: it was not reviewed"
            refused.update(dict.fromkeys(changed & acting, why))
            continue
        if marker.stage not in {Stage.PLANNED, Stage.REFUSED}:
            continue
        why = _why(review, marker, now, config)
        if why:
            refused.update(dict.fromkeys(set(review.names or acting) & acting, why))
        else:
            covered.update(review.names)
    return {name: why for name, why in refused.items() if name not in covered}


def _why(review: Review, marker: Marker, now: Preview, config: str) -> str:
    if review.head != marker.head:
        return f"pull request {review.pull} was pushed to after its plan: what was merged was not reviewed"
    found = moved(marker, now.plan, now.world, config)
    if not found:
        return ""
    said = "; ".join(f"{one} of {one.name} moved" if one.name else f"{one} moved" for one in found[:5])
    return f"not as it was reviewed in pull request {review.pull}: {said}"

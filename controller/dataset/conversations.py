"""What was said in a row, by whom, to the conversation that is sent, or to why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from controller.dataset.problems import Fault
from controller.dataset.rows import Layout
from controller.dataset.strict_json import Number, kind
from controller.state.desired import Example, Exchange

Object = dict[str, object]
Faults = tuple[Fault, ...]
Role = Literal["system", "user", "model"]


class NotSent(Exception):
    """Something about a row that cannot be sent as it is written; dropping it would train on something else."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Turn:
    """What one of them says. ``weight`` is whether it is learned, None where the row does not say."""

    role: Role
    text: str = field(repr=False)
    weight: bool | None = None


def conversation(turns: Sequence[Turn], layout: Layout) -> Example:
    """The example of some turns. Raises `NotSent`."""
    system, said = _system(turns)
    if not said:
        raise NotSent(Fault("GT270", "the conversation has no turns", "leave the row out"))
    for place, turn in enumerate(said):
        if turn.role != ("model" if place % 2 else "user"):
            raise NotSent(_out_of_turn(turn, place))
    if said[-1].role != "model":
        hint = "end it with what the model is to answer, or leave the last turn out"
        raise NotSent(
            Fault("GT270", "the conversation ends with the user's turn: nothing of it would be learned", hint)
        )
    learned = _learned(said[1::2], layout)
    pairs = zip(said[::2], said[1::2], learned, strict=True)
    exchanges = [Exchange(asked.text, answer.text, learns) for asked, answer, learns in pairs]
    if layout.prefix:
        first = exchanges[0]
        exchanges[0] = Exchange(layout.prefix + first.text_input, first.output, first.learned)
    *earlier, last = exchanges
    return Example(last.text_input, last.output, system or layout.system, tuple(earlier))


def _system(turns: Sequence[Turn]) -> tuple[str, Sequence[Turn]]:
    """The system message, "" for none, and the turns behind it."""
    if not turns or turns[0].role != "system":
        return "", turns
    if len(turns) > 1 and turns[1].role == "system":
        raise NotSent(Fault("GT270", "the conversation has two system messages", "join them into one"))
    return turns[0].text, turns[1:]


def _out_of_turn(turn: Turn, place: int) -> Fault:
    if turn.role == "system":
        hint = "a system message stands before the first turn: put it there, or into a user's turn"
        return Fault("GT270", "a system message stands between the turns", hint)
    if not place:
        hint = "begin it with a user's turn, or leave the first turn out"
        return Fault("GT270", "the conversation begins with the model's turn", hint)
    who = "user" if turn.role == "user" else "model"
    message = f"two turns of the {who} follow each other"
    return Fault("GT270", message, "user and model take turns: join the two into one, or leave one out")


def _learned(answers: Sequence[Turn], layout: Layout) -> list[bool]:
    """Which answers are learned: as the rows say it, or else as the layout does."""
    if answers[-1].weight is False:
        hint = "end the conversation with the last turn that is to be learned"
        raise NotSent(Fault("GT273", "the last turn of the model has weight 0: it is what is learned", hint))
    if layout.learn == "last":
        if any(answer.weight for answer in answers[:-1]):
            message = "a turn of the model before the last has weight 1, and only the last one is learned"
            raise NotSent(Fault("GT273", message, "set dataset.learn: all to learn each turn that has no weight 0"))
        return [False] * (len(answers) - 1) + [True]
    return [answer.weight is not False for answer in answers]


_TOOLS = "it calls tools, which no provider is sent: leave such rows out"
_MEDIA = "only texts are sent: leave such rows out"


def _tools(name: str) -> Fault:
    return Fault("GT268", f"the conversation holds tool calls ('{name}')", _TOOLS)


def _media(name: str) -> Fault:
    return Fault("GT268", f"the conversation holds an image, a sound or a file ('{name}')", _MEDIA)


_TOOL_KEYS = (
    *("tools", "tool_calls", "tool_call_id", "functions", "function_call", "functionCall", "functionResponse"),
    *("function_response", "toolConfig", "tool_config"),
)
_MEDIA_KEYS = (
    *("image_url", "input_audio", "audio", "file", "image", "images", "videos", "inlineData", "inline_data"),
    *("fileData", "file_data"),
)


def refuse_tools_and_media(row: Object) -> None:
    """Raises `NotSent` for a row, a message or a part that holds more than text."""
    for name in _TOOL_KEYS:
        if row.get(name):
            raise NotSent(_tools(name))
    for name in _MEDIA_KEYS:
        if row.get(name):
            raise NotSent(_media(name))


_CHAT: Mapping[str, Role] = MappingProxyType(
    {"system": "system", "developer": "system", "user": "user", "assistant": "model", "model": "model"}
)
_SHAREGPT: Mapping[str, Role] = MappingProxyType(
    {"system": "system", "human": "user", "user": "user", "gpt": "model", "assistant": "model", "model": "model"}
)
_PARTED: Mapping[str, Role] = MappingProxyType({"user": "user", "model": "model"})
_TOOL_ROLES = frozenset(("tool", "function", "function_call", "function_response", "observation"))


def messages(row: Object) -> list[Turn]:
    """The turns of a row with `messages`. Raises `NotSent`."""
    name = messages_key(row)
    turns = [_message(one, "role", "content", _CHAT) for one in _objects(row, name)]
    return [*_apart(row, ("system",), turns), *turns]


def sharegpt(row: Object) -> list[Turn]:
    """The turns of a row with `conversations`. Raises `NotSent`."""
    name = next((name for name in SHAREGPT_KEYS if name in row), SHAREGPT_KEYS[0])
    turns = [_message(one, "from", "value", _SHAREGPT) for one in _objects(row, name)]
    return [*_apart(row, ("system",), turns), *turns]


def contents(row: Object) -> list[Turn]:
    """The turns of a row with `contents`. Raises `NotSent`."""
    turns = [_message(one, "role", "parts", _PARTED) for one in _objects(row, "contents")]
    return [*_apart(row, ("systemInstruction", "system_instruction"), turns), *turns]


def prompt_and_completion(row: Object) -> list[Turn] | None:
    """The turns of a row whose prompt and completion are lists of messages; None where they are not."""
    if not isinstance(row.get("prompt"), list) or not isinstance(row.get("completion"), list):
        return None
    said = [*_objects(row, "prompt"), *_objects(row, "completion")]
    return [_message(one, "role", "content", _CHAT) for one in said]


SHAREGPT_KEYS = ("conversations", "conversation")


def messages_key(row: Object) -> str:
    """Under which name a row has its messages; some write them where ShareGPT has its turns."""
    if "messages" not in row:
        for name in SHAREGPT_KEYS:
            if _begins_with(row.get(name), "role"):
                return name
    return "messages"


def is_sharegpt(row: Object) -> bool:
    """Whether a row has turns as ShareGPT writes them."""
    return any(_begins_with(row.get(name), "from") for name in SHAREGPT_KEYS)


def _begins_with(turns: object, key: str) -> bool:
    return isinstance(turns, list) and bool(turns) and isinstance(turns[0], dict) and key in turns[0]


def _apart(row: Object, names: tuple[str, ...], turns: Sequence[Turn]) -> Iterator[Turn]:
    """The system message that stands beside the turns, where there is one."""
    refuse_tools_and_media(row)
    for name in names:
        if (found := row.get(name)) in (None, "", [], {}):
            continue
        if turns and turns[0].role == "system":
            raise NotSent(Fault("GT270", "the conversation has two system messages", "join them into one"))
        held = found.get("parts") if isinstance(found, dict) else found
        yield Turn("system", _text(held, name))


def _objects(row: Object, name: str) -> list[Object]:
    found = row.get(name)
    if name not in row:
        raise NotSent(
            Fault("GT252", f"'{name}' is missing", "the row is of another shape: convert it, or leave it out")
        )
    if not isinstance(found, list):
        raise NotSent(Fault("GT253", f"'{name}' holds {kind(found)}, not an array", "write one object for each turn"))
    for one in found:
        if not isinstance(one, dict):
            raise NotSent(
                Fault("GT253", f"'{name}' holds {kind(one)} instead of a turn", "write an object for each turn")
            )
    return found


def _message(turn: Object, by: str, of: str, roles: Mapping[str, Role]) -> Turn:
    refuse_tools_and_media(turn)
    who = turn.get(by)
    role = roles.get(who) if isinstance(who, str) else None
    if role is None:
        if isinstance(who, str) and who in _TOOL_ROLES:
            raise NotSent(_tools(f"{by}: {who}"))
        message = f"a turn has a '{by}' that is not read" if by in turn else f"a turn has no '{by}'"
        raise NotSent(Fault("GT270", message, f"'{by}' is one of {', '.join(roles)}"))
    if turn.get("name"):
        hint = "no provider is sent the names of users: write them into the text, or take them out"
        raise NotSent(Fault("GT268", "a turn carries the name of its speaker ('name')", hint))
    if turn.get("refusal"):
        raise NotSent(Fault("GT268", "a turn is a refusal ('refusal')", "write it as 'content', or leave the row out"))
    if of not in turn:
        raise NotSent(Fault("GT252", f"a turn has no '{of}'", "write what is said there, or leave the row out"))
    return Turn(role, _text(turn[of], of), _weight(turn, role))


def _weight(turn: Object, role: Role) -> bool | None:
    found = turn.get("weight")
    if found is None or role != "model":
        return None
    said = str(found) if isinstance(found, Number) else found
    if said in (0, 1, "0", "1") and not isinstance(said, bool):
        return said in (1, "1")
    raise NotSent(
        Fault("GT273", "a turn has a weight that is neither 0 nor 1", "a turn is learned (1) or it is not (0)")
    )


def _text(found: object, name: str) -> str:
    """A text, or the texts of its parts, which a model reads without anything between them."""
    if isinstance(found, str):
        return sound(found, f"'{name}'")
    if not isinstance(found, list):
        hint = "leave the row out, or give it a text" if found is None else "write it as text"
        raise NotSent(Fault("GT253", f"'{name}' holds {kind(found)}, not text", hint))
    return "".join(_part(part, name) for part in found)


def _part(part: object, name: str) -> str:
    if isinstance(part, str):
        return sound(part, f"'{name}'")
    if not isinstance(part, dict):
        raise NotSent(Fault("GT253", f"'{name}' holds {kind(part)} instead of a part", "write the parts as objects"))
    refuse_tools_and_media(part)
    text = part.get("text")
    if not isinstance(text, str) or part.get("thought"):
        hint = "only texts are sent: leave such rows out"
        raise NotSent(Fault("GT268", f"'{name}' has a part that is no text", hint))
    return sound(text, f"'{name}'")


def sound(text: str, subject: str) -> str:
    """The text itself. Raises `NotSent` where it holds half of a surrogate pair."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            hint = r"write the character itself, or both halves: \ud83d\ude00"
            raise NotSent(Fault("GT250", f"{subject} holds half of a surrogate pair", hint)) from None
    return text

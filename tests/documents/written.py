"""Chance to YAML texts as people write them, and as they get them wrong."""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - seeded: the same texts in every run

TAME = [
    *("a", "name", "triage", "Next number", "no", "yes", "true", "False", "on", "y", "é", "日本", "x" * 30, "a - b"),
    *("0", "-1", "12", "017", "0o17", "0x1F", "1e3", "1e-5", ".5", "5.", "-.5", "1_000", "1:30", "2001-01-01", "-0"),
    *("models/tiny", "../a.jsonl", "a_b", "(a)", "a (b)", "9" * 29, "a@b", "a.b", "1e", "0x", "+1", "a*b", "...a"),
]
WILD = [
    *(
        "null",
        "~",
        "Null",
        "日本 語",
        ".inf",
        "-.INF",
        ".nan",
        ".",
        "..",
        "...",
        "-",
        "--",
        "---",
        "+",
        "9" * 31,
        "1e400",
    ),
    *(
        "https://host/x?y=1#z",
        "a:b",
        "a: b",
        "a :b",
        "a #b",
        "a#b",
        ":",
        ":a",
        "a:",
        "#a",
        "it's",
        'a"b',
        "\\",
        "a\\nb",
    ),
    *("[a]", "{a}", "a]", "a, b", "a,b", "&a", "*a", "!a", "!!str 1", "|", ">", "|-", "%a", "@a", "`a", "? a", "?a"),
    *("- a", "-a", "=", "<<", "'", '"', "", " ", "\t", "a\tb", "$a", "a\\", "a -", "-.a", "+a", "a?", "a  b", "a;b"),
    *("\u00a0", "\u200b", "\u0085", "\u2028", "\x07", "\ufeff", "\u3000", "\U0001f600", "\ufffe", "\u00ad"),
]
WILD_KEYS = [
    *("name", "a-b", "a.b/c", "_x", "A1", "no", "true", "null", "1", '"a"', "'b'", "a b", "<<", "é", "? a", "-", "k0"),
]
WILD_TAILS = [" ", "  # c", " #", "# c", "\t# c", " x", ":", ","]
WILD_QUOTED = [
    *('"{}" ', '"{}\\n"', '"{}\\"x"', '"{}\\u0041"', "'{}''x'", '"{}', "'{}", '"{}"x', '"{}": x', '"{}\\"', "''", '""'),
]
SPEC = """\
# yaml-language-server: $schema=../.gitune-schemas/tunedmodel.json
apiVersion: gitune.dev/v1alpha1
kind: TunedModel
metadata:
  name: next-number              # the identity
  formerNames: [following-number, "other"]
  labels: {team: demo, "no": 'it''s'}
spec:
  baseModel: models/tiny
  displayName: "Next: number"
  description: |
    Says the number
      that follows.

    In words.
  dataset:
    path: ../datasets/next-number.jsonl
    columns: {input: text_input, output: output}
    prefix: "Next:\\n"
  hyperparameters:
    epochCount: 5

    # learned by trying
    learningRate: 1e-3
  sampling: {temperature: 0.7, topK: 40}
  evaluation:
    dataset: {path: ../datasets/eval.jsonl}
    minScore: 0.8
  notes:
  - one
  - two: 2
    three: [1, [2, {x: y}]]
  - four
  folded: >-
    some
    words

    more
  suspend: false
---
apiVersion: v1
kind: Other
"""


def text(chance: Random) -> str:
    """One text of a few lines: of parts, or a spec in which something was changed."""
    return _Writer(chance, chance.choice((0.0, 0.02, 0.1, 0.4))).text()


class _Writer:
    """Writes one text, in which so large a part is not as it should be, or unusual."""

    def __init__(self, chance: Random, wild: float) -> None:
        self._chance = chance
        self._wild = wild

    def text(self) -> str:
        make = (self._block, self._block, self._block, self._bent, self._soup)
        made: str = make[0 if self._wild == 0 else self._chance.randrange(len(make))]()
        if self._strays():
            made = made.replace("\n", self._chance.choice(("\r\n", "\r")))
        return made if not self._strays() else made.removesuffix("\n")

    def _strays(self) -> bool:
        return self._chance.random() < self._wild

    def _one(self, tame: Sequence[str], wild: Sequence[str]) -> str:
        return self._chance.choice(wild if self._strays() else tame)

    def _block(self, indent: str = "", depth: int = 0) -> str:
        is_list = depth > 0 and self._chance.random() < 0.3
        lines = []
        for _ in range(self._chance.randint(1, 4)):
            pad = indent + (" " if self._strays() else "")
            lines.append(
                self._one(("", "", "", "", "\n", f"{indent}# c\n"), ("  \n", "# c\n", "    # c\n", "---\n", "...\n"))
            )
            if is_list and self._chance.random() < 0.3:
                lines.append(f"{pad}- {self._pair()}\n{indent}  {self._pair()}\n")
            elif is_list:
                lines.append(f"{pad}-{self._inside(indent, depth, is_item=True)}")
            else:
                lines.append(f"{pad}{self._key()}:{self._inside(indent, depth)}")
        return "".join(lines)

    def _pair(self) -> str:
        return f"{self._key()}: {self._scalar()}"

    def _inside(self, indent: str, depth: int, *, is_item: bool = False) -> str:
        roll = 1.0 if is_item and not self._strays() else self._chance.random()
        if roll < 0.25 and depth < 4:
            step = self._one((" ", "  ", "  ", "    "), ("", " ", "   "))
            return f"{self._one(('', '', '  # c'), WILD_TAILS)}\n{self._block(indent + step, depth + 1)}"
        if roll < 0.32:
            return self._text_block(indent)
        value = self._flow() if self._chance.random() < 0.2 else self._scalar()
        return f" {value}{self._one(('', '', '', ' ', ' # c: d'), WILD_TAILS)}\n"

    def _text_block(self, indent: str) -> str:
        pad = indent + self._chance.choice((" ", "  ", "  ", "    "))
        odd = ("", " ", pad, f"{pad} x", f"{indent}x", f"{pad}# c", f"{pad}k: v", f"{pad}- a", f"{pad}a  ")
        lines = [pad + self._chance.choice(TAME)]
        lines += [
            self._one((f"{pad}word", "", f"{pad}- a", f"{pad}k: v"), odd) for _ in range(self._chance.randint(0, 4))
        ]
        if self._strays():
            del lines[0]
        head = self._one(("|", ">", "|-", ">-"), ("|+", ">+", "|2", "| # c", "|-x", "> "))
        return f" {head}\n" + "".join(f"{line}\n" for line in lines)

    def _flow(self, depth: int = 0) -> str:
        deeper = depth < 3 and self._chance.random() < 0.3
        items = [self._flow(depth + 1) if deeper else self._scalar() for _ in range(self._chance.randint(0, 3))]
        comma = self._one((", ", ",  ", ","), (" , ", ", , ", " "))
        end = self._one(("", "", " "), (",", ", "))
        if self._chance.random() < 0.5:
            return f"[{comma.join(items)}{end}]"
        colon = self._one((": ", ":  "), (":", " : "))
        return f"{{{comma.join(f'{self._key()}{colon}{item}' for item in items)}{end}}}"

    def _scalar(self) -> str:
        word = self._one(TAME, WILD)
        if self._chance.random() < 0.25:
            return self._one(('"{}"', "'{}'"), WILD_QUOTED).replace("{}", word)
        return (
            f"{word}{self._chance.choice((' ', '  ', ', ', ':'))}{self._chance.choice(WILD)}"
            if self._strays()
            else word
        )

    def _key(self) -> str:
        return self._one([f"k{self._chance.randint(0, 10_000)}"], WILD_KEYS)

    def _soup(self) -> str:
        parts = (*" :#-,[]{}'\"|>a", "  ", "\n", "\n", "- ", ": ", "b: ", "k: v\n", "  l: w\n", "- x\n")
        return "".join(self._chance.choice(parts) for _ in range(self._chance.randint(1, 25)))

    def _bent(self) -> str:
        return bent(SPEC if self._chance.random() < 0.3 else self._block(), self._chance)


def bent(made: str, chance: Random) -> str:
    """The text with a few changes such as an editor, a merge or a slip of the finger make."""
    for _ in range(chance.randint(1, 3)):
        made = _hit(made, chance) if chance.random() < 0.6 else _line_moved(made, chance)
    return made


def _hit(made: str, chance: Random) -> str:
    at = chance.randint(0, len(made))
    odd: Sequence[str] = (
        *" \n\t:#-,[]{}'\"|>&*!%@`?\\a0~.\r",
        "",
        "",
        ": ",
        " #",
        "\n ",
        "\n  ",
        "- ",
        "\ufeff",
        "\u00e9",
    )
    return made[:at] + chance.choice(odd) + made[at + chance.randint(0, 2) :]


def _line_moved(made: str, chance: Random) -> str:
    lines = made.split("\n")
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randint(0, 4):
        case 0:
            lines[at] = " " * chance.randint(0, 3) + lines[at]
        case 1:
            lines[at] = lines[at][chance.randint(1, 2) :]
        case 2:
            lines.insert(to, lines[at])
        case 3:
            lines[at], lines[to] = lines[to], lines[at]
        case _:
            del lines[at]
    return "\n".join(lines)

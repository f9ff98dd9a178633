"""What people really have: each export is read, or refused with the sentence that docs/datasets.md shows."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from controller.dataset import Layout, Rules, reading, tables, unfolding
from controller.dataset.loading import digest
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Example, Exchange
from controller.state.facts import Turns
from tests.dataset.passes import load, read_examples

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "datasets.md").read_text("utf-8")
ONE, TWO = Example("canary 1", "2"), Example("canary 2", "3,5")
USER = {"role": "user", "content": "canary 1"}
MODEL = {"role": "assistant", "content": "2"}
SYSTEM = {"role": "system", "content": "Be brief."}


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(*rows: Mapping[str, object], group: int = 1000) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), out, row_group_size=group)
    return out.getvalue()


def workbook(**sheets: Sequence[Sequence[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@dataclass(frozen=True)
class Export:
    """A file, and what becomes of it: the examples, or the first sentence that is said."""

    file: str
    data: bytes
    read: tuple[Example, ...] = ()
    said: str = ""
    layout: Layout = field(default_factory=Layout)


PAIRS = [["text_input", "output"], ["canary 1", "2"], ["canary 2", "3,5"]]
CONVERSATION = (Example("canary 1", "2", "Be brief."),)
TURNS = (Example("canary 1", "2", "Be brief.", (Exchange("canary 0", "1"),)),)
EXPORTS: Mapping[str, Export] = {
    "AI Studio, CSV": Export("a.csv", b"text_input,output\ncanary 1,2\n", (ONE,)),
    "AI Studio, JSON": Export("a.json", json.dumps([{"text_input": "canary 1", "output": "2"}]).encode(), (ONE,)),
    "OpenAI chat": Export("a.jsonl", lines({"messages": [USER, MODEL]}), (ONE,)),
    "OpenAI chat with a system message": Export("a.jsonl", lines({"messages": [SYSTEM, USER, MODEL]}), CONVERSATION),
    "OpenAI chat, tool calls": Export(
        "a.jsonl",
        lines({"messages": [USER, {"role": "assistant", "tool_calls": [{}]}], "parallel_tool_calls": False}),
        said="the conversation holds tool calls ('tool_calls')",
    ),
    "OpenAI chat, images": Export(
        "a.jsonl",
        lines({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, MODEL]}),
        said="the conversation holds an image, a sound or a file ('image_url')",
    ),
    "OpenAI preference": Export(
        "a.jsonl",
        lines({"input": {"messages": [USER]}, "preferred_output": [MODEL], "non_preferred_output": [MODEL]}),
        said="the row is a preference pair: an answer that is liked and one that is not",
    ),
    "OpenAI legacy, prompt and completion": Export("a.jsonl", lines({"prompt": "canary 1", "completion": "2"}), (ONE,)),
    "TRL, conversational prompt and completion": Export(
        "a.jsonl", lines({"prompt": [USER], "completion": [MODEL]}), (ONE,)
    ),
    "Vertex, camel case": Export(
        "a.jsonl",
        lines(
            {
                "systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "canary 1"}]},
                    {"role": "model", "parts": [{"text": "2"}]},
                ],
            }
        ),
        CONVERSATION,
    ),
    "Vertex, snake case": Export(
        "a.jsonl",
        lines(
            {
                "system_instruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "canary 1"}]},
                    {"role": "model", "parts": [{"text": "2"}]},
                ],
            }
        ),
        CONVERSATION,
    ),
    "Mistral": Export(
        "a.jsonl",
        lines(
            {
                "messages": [
                    SYSTEM,
                    {"role": "user", "content": "canary 0"},
                    {"role": "assistant", "content": "1", "weight": 0},
                    USER,
                    MODEL,
                ]
            }
        ),
        TURNS,
    ),
    "Anthropic on Bedrock": Export("a.jsonl", lines({"system": "Be brief.", "messages": [USER, MODEL]}), CONVERSATION),
    "ShareGPT": Export(
        "a.json",
        json.dumps(
            [{"id": "x", "conversations": [{"from": "human", "value": "canary 1"}, {"from": "gpt", "value": "2"}]}]
        ).encode(),
        (ONE,),
    ),
    "Alpaca": Export(
        "a.json",
        json.dumps(
            [
                {"instruction": "canary 1", "input": "", "output": "2"},
                {"instruction": "canary", "input": "2", "output": "3,5"},
            ]
        ).encode(),
        (ONE, Example("canary\n\n2", "3,5")),
    ),
    "Dolly": Export(
        "a.jsonl",
        lines({"instruction": "canary 1", "context": "", "response": "2"}),
        said="column 'text_input' is missing",
    ),
    "DPO on Hugging Face": Export(
        "a.jsonl",
        lines({"prompt": "canary", "chosen": "x", "rejected": "y"}),
        said="the row is a preference pair: an answer that is liked and one that is not",
    ),
    "Hugging Face, Parquet of pairs": Export(
        "train-00000-of-00001.parquet",
        parquet({"text_input": "canary 1", "output": "2"}, {"text_input": "canary 2", "output": "3,5"}, group=1),
        (ONE, TWO),
    ),
    "Hugging Face, Parquet of messages": Export(
        "a.parquet", parquet({"messages": [SYSTEM, USER, MODEL]}), CONVERSATION
    ),
    "Excel, one sheet": Export("a.xlsx", workbook(Rows=PAIRS), (ONE, TWO)),
    "Excel, numbers": Export("a.xlsx", workbook(Rows=[["text_input", "output"], ["canary 1", 2]]), (ONE,)),
    "Excel, several sheets": Export("a.xlsx", workbook(Rows=PAIRS, Notes=[["x"]]), said="the workbook has 2 sheets"),
    "Excel, a named sheet": Export(
        "a.xlsx", workbook(Notes=[["x"]], Rows=PAIRS), (ONE, TWO), layout=Layout(sheet="Rows")
    ),
    "TSV": Export("a.tsv", b"text_input\toutput\ncanary 1\t2\ncanary 2\t3,5\n", (ONE, TWO)),
    "semicolons and a comma decimal": Export(
        "a.csv", b"text_input;output\ncanary 2;3,5\n", (TWO,), layout=Layout(delimiter=";")
    ),
    "semicolons that nobody declared": Export(
        "a.csv", b"text_input;output\ncanary 2;3,5\n", said="the columns are separated by semicolons"
    ),
    "Excel's sep= line": Export("a.csv", b"sep=;\r\ntext_input;output\r\ncanary 2;3,5\r\n", (TWO,)),
    "JSON Lines in gzip": Export("a.jsonl.gz", gzip.compress(lines({"text_input": "canary 1", "output": "2"})), (ONE,)),
    "CSV in Zstandard": Export("a.csv.zst", zstandard.compress(b"text_input,output\ncanary 1,2\n"), (ONE,)),
    "byte-order mark and CRLF": Export(
        "a.csv", b"\xef\xbb\xbftext_input,output\r\ncanary 1,2\r\n", (ONE,), "the file begins with a byte-order mark"
    ),
    "UTF-16": Export("a.csv", "text_input,output\ncanary 1,2\n".encode("utf-16"), said="the file is UTF-16, not UTF-8"),
    "Windows-1252": Export("a.csv", "text_input,output\ncanary é,2\n".encode("cp1252"), said="not valid UTF-8"),
    "a ZIP": Export("a.zip", b"PK\x03\x04canary", said="this is a ZIP (or an Excel workbook) file"),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_or_refused_with_the_sentence_of_the_documentation(name: str) -> None:
    export = EXPORTS[name]
    read = read_examples(export.data, export.file, export.layout)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {name} |"))

    assert read.examples == export.read
    assert read.whole is bool(export.read)
    assert [p.message for p in read.problems][:1] == ([export.said] if export.said else [])
    assert all(p.hint and "canary" not in p.message + p.hint for p in read.problems)
    assert (export.said in row) if export.said else row.endswith("| read |")


def test_the_table_has_the_exports_and_no_others() -> None:
    table = PAGE.partition("### What people have")[2].partition("\n### ")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]

    assert rows[1:] == list(EXPORTS)
    assert len(EXPORTS) >= 20


TABLE = [{"text_input": f"canary {n} é", "output": f'{n}\n"x", \t;'} for n in range(2500)]


def written(kind: str) -> bytes:
    rows = lines(*TABLE)
    match kind:
        case "jsonl":
            return rows
        case "jsonl.gz":
            return gzip.compress(rows[:1000]) + gzip.compress(
                rows[1000:]
            )  # streams that follow each other are one text
        case "jsonl.zst":
            return zstandard.compress(rows[:1000]) + zstandard.compress(rows[1000:])
        case "parquet":
            return parquet(*TABLE, group=700)
        case _:
            return workbook(Sheet=[["text_input", "output"], *(list(row.values()) for row in TABLE)])


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "jsonl.zst", "parquet", "xlsx"])
def test_the_same_rows_have_one_fingerprint_in_every_format(kind: str) -> None:
    whole = written(kind)
    chunks = [whole[at : at + 777] for at in range(0, len(whole), 777)]
    made = load(whole, f"a.{kind}", Layout(), Rules(FACTS.examples)).dataset
    read = reading.Reading(lambda: chunks, f"a.{kind}", Layout())
    numbers = [line for batch in read for line in batch.lines]

    assert made is not None
    assert made.digest == digest([Example(row["text_input"], row["output"]) for row in TABLE])
    assert list(made.examples)[-1] == Example(TABLE[-1]["text_input"], TABLE[-1]["output"])
    assert numbers == list(range(2, 2502) if kind == "xlsx" else range(1, 2501))


def codes(data: bytes, file: str, layout: Layout | None = None) -> list[str]:
    read = read_examples(data, file, layout or Layout())
    assert not read.whole
    assert "canary" not in "".join(p.message + p.hint for p in read.problems)
    return [p.code for p in read.problems]


@pytest.mark.parametrize("kind", ["jsonl.gz", "jsonl.zst", "parquet", "xlsx"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d[: len(d) // 2],
        lambda d: d[: len(d) // 3] + b"\x00\xff" * 40 + d[len(d) // 3 + 80 :],
        lambda _: b"canary",
    ],
)
def test_what_is_damaged_is_refused_and_never_half_read(kind: str, damage: Callable[[bytes], bytes]) -> None:
    assert codes(damage(written(kind)), f"a.{kind}") == ["GT277"]


@pytest.mark.parametrize("kind", ["jsonl.gz", "jsonl.zst"])
def test_a_bomb_is_refused_before_it_is_unfolded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfolding, "_FREE", 1 << 20)
    press = gzip.compress if kind.endswith("gz") else zstandard.compress

    assert codes(press(b" " * (20 << 20)), f"a.{kind}") == ["GT276"]


def test_a_file_that_unfolds_to_too_much_is_refused_whatever_its_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfolding, "MOST_UNFOLDED", 50_000)

    assert codes(written("jsonl.gz"), "a.jsonl.gz") == ["GT276"]


def test_a_workbook_whose_parts_unfold_to_too_much_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", b" " * (1 << 20))
    monkeypatch.setattr(tables, "_PARTS_UNFOLDED", 1 << 19)

    assert codes(out.getvalue(), "a.xlsx") == ["GT276"]


def test_a_large_row_group_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_GROUP", 20_000)
    (problem,) = read_examples(written("parquet"), "a.parquet", Layout()).problems

    assert problem.code == "GT280"
    assert "row_group_size" in problem.hint


@pytest.mark.parametrize(
    ("kind", "library"), [("jsonl.zst", "zstandard"), ("parquet", "pyarrow"), ("xlsx", "openpyxl")]
)
def test_without_the_extra_the_command_that_installs_it_is_said(
    kind: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written(kind)
    monkeypatch.setitem(sys.modules, library, None)
    (problem,) = read_examples(data, f"a.{kind}", Layout()).problems

    assert problem.code == "GT278"
    assert library in problem.message
    assert 'pip install "gitune[data]"' in problem.hint


def test_cells_of_a_sheet_are_texts_as_the_sheet_shows_them_and_others_are_named() -> None:
    rows: list[list[object]] = [[], ["text_input", "output"], [7, 7.5], [10**15, True], [None, None], ["canary", 3.0]]
    good = read_examples(workbook(S=rows), "a.xlsx", Layout())
    bad = read_examples(workbook(S=[*rows, ["canary", dt.date(2026, 1, 2)]]), "a.xlsx", Layout())

    assert good.examples == (Example("7", "7.5"), Example("1000000000000000", "TRUE"), Example("canary", "3"))
    assert [row.line for row in good.rows] == [3, 4, 6]
    assert [(p.code, p.line, p.column, p.message) for p in bad.problems] == [
        ("GT253", 7, 2, "cell B7 holds a date or a time, not text")
    ]


def test_a_sheet_that_is_not_there_and_a_header_that_repeats_a_name_are_refused() -> None:
    assert codes(workbook(S=[["text_input", "output"]], T=[]), "a.xlsx", Layout(sheet="s")) == ["GT279"]
    assert codes(workbook(S=[["output", "output"], ["canary", "x"]]), "a.xlsx") == ["GT259"]


def test_a_row_of_parquet_that_holds_no_text_is_named_by_its_number() -> None:
    (problem,) = read_examples(
        parquet({"text_input": "canary", "output": None}, {"text_input": "canary", "output": "x"}),
        "a.parquet",
        Layout(),
    ).problems

    assert (problem.code, problem.line) == ("GT253", 1)


def test_no_provider_of_today_is_sent_what_only_some_exports_hold() -> None:
    assert (FACTS.examples.system, FACTS.examples.turns) == (False, Turns.NONE)

"""What is not YAML has a code and the place where a person has to look."""

import pytest

from controller.documents import parse

MISTAKES = [
    ('a: "\\UFFFFFFFF"\n', "GT120", 1, 7),
    ("&a &b c\n", "GT124", 1, 4),
    ("- a\nb: c\n", "GT124", 2, 1),
    ("a: b\n- c\n", "GT124", 2, 1),
    ("a: |x\n  b\n", "GT124", 1, 5),
    ("a: |\n    x\n  y\n", "GT124", 3, 3),
    ('a: "b" c\n', "GT124", 1, 8),
    ("a: - b\n", "GT124", 1, 4),
    ("a: !<x\n", "GT111", 1, 7),
    ("a: !!\n", "GT111", 1, 4),
    ("&\n", "GT125", 1, 2),
    ("a: *\n", "GT125", 1, 5),
    ("a: @b\n", "GT125", 1, 4),
    ("a: [b, c}\n", "GT121", 1, 9),
    ("a: [b\nc: d\n", "GT121", 2, 2),
    ("a: {b: [c, {d: 1}\n", "GT121", 1, 8),
    ("a: b: c\n", "GT123", 1, 5),
    ("a\nb: c\n", "GT123", 2, 2),
    ("a:\n\tb: c\n", "GT105", 2, 1),
    ('a: "b\n', "GT122", 1, 4),
    ('a: "b\n---\nc: d\n', "GT122", 1, 4),
    ('a: "\\x1"\n', "GT129", 1, 7),
    ("? [a]\n: b\n", "GT113", 1, 3),
    (": a\n", "GT113", 1, 1),
    ("[a]: b\n", "GT113", 1, 1),
    ("a: &b [*b]\n", "GT109", 1, 8),
    ("%YAML 1.1\n---\na: b\n", "GT117", 1, 1),
    ("%TAG\n---\na: b\n", "GT117", 1, 1),
    ("a: b\n<<<<<<< HEAD\n", "GT126", 2, 1),
    (">>>>>>> main\na: b\n", "GT126", 1, 1),
]


@pytest.mark.parametrize(("text", "code", "line", "column"), MISTAKES)
def test_a_mistake_is_one_problem_at_its_place(text: str, code: str, line: int, column: int) -> None:
    problems = parse(text.encode(), "f.yaml").problems

    assert [(p.code, p.line, p.column) for p in problems] == [(code, line, column)]
    assert problems[0].hint


@pytest.mark.parametrize(("text", "code", "line", "column"), MISTAKES)
def test_a_mistake_in_a_later_document_is_told_at_its_line_of_the_file(
    text: str, code: str, line: int, column: int
) -> None:
    parsed = parse(f"first: 1\n...\n{text}".encode(), "f.yaml")

    assert [(p.code, p.line, p.column) for p in parsed.problems] == [(code, line + 2, column)]
    assert parsed.documents[0].value == {"first": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a:\n  b\n c\n", {"a": "b c"}),
        ("{a, b: }\n", {"a": None, "b": None}),
        ("[a: b]\n", [{"a": "b"}]),
        ("a: b #c\n", {"a": "b"}),
        ("a: b#c\n", {"a": "b#c"}),
        ("a: >-\n  b\n  c\n", {"a": "b c"}),
        ("? a\n: b\n", {"a": "b"}),
        ("a: http://b:80/c\n", {"a": "http://b:80/c"}),
        ("'<<': a\n", {"<<": "a"}),
        ("a: 'it''s'\n", {"a": "it's"}),
        ("a: ''\n", {"a": ""}),
        ("a:\n- b\n- c\n", {"a": ["b", "c"]}),
        ("- - a\n  - b\n", [["a", "b"]]),
        ("a: |\n  =======\n  <<<<<<< x\n", {"a": "=======\n<<<<<<< x\n"}),
    ],
)
def test_what_only_looks_like_a_mistake_is_read(text: str, value: object) -> None:
    parsed = parse(text.encode(), "f.yaml")

    assert parsed.problems == ()
    assert parsed.documents[0].value == value

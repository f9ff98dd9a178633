"""Which paths of a tree are read for specs."""

import time

import pytest

from controller.specs.loading import spec_paths


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("specs/**/*.yaml", "specs/a.yaml", True),
        ("specs/**/*.yaml", "specs/team/deep/a.yaml", True),
        ("specs/**/*.yaml", "specs/a.yml", False),
        ("specs/**/*.yaml", "other/specs/a.yaml", False),
        ("specs/*.yaml", "specs/a.yaml", True),
        ("specs/*.yaml", "specs/team/a.yaml", False),
        ("./specs/*.yaml", "specs/a.yaml", True),
        ("**/*.yaml", "a.yaml", True),
        ("**", "a/b/c", True),
        ("specs/**", "specs/a/b", True),
        ("a/**/b/**/c", "a/x/b/y/b/z/c", True),
        ("a/**/b/**/c", "a/x/c", False),
        ("a/**/b", "a/b/c/b", True),
        ("specs/?.yaml", "specs/ab.yaml", False),
        ("specs/a.yaml", "specs/A.yaml", False),
    ],
)
def test_a_star_stays_in_its_folder_and_two_stars_do_not(pattern: str, path: str, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    assert spec_paths([pattern], [path]) == ((path,) if fits else ())


def test_paths_come_sorted_and_once() -> None:
    assert spec_paths(["b/*.yaml", "**/*.yaml"], ["b/2.yaml", "a/1.yaml", "b/1.yaml"]) == (
        "a/1.yaml",
        "b/1.yaml",
        "b/2.yaml",
    )


def test_no_path_makes_a_pattern_take_long() -> None:
    start = time.process_time()

    assert spec_paths(["**/a/**/a/**/b"], ["a/" * 2000 + "c"]) == ()
    assert spec_paths(["*a*a*a*a*a*b"], ["a" * 4000]) == ()
    assert time.process_time() - start < 2

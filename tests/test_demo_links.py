"""Links that carry parameters only."""

import pytest

from spinehub.demo.links import parse_link
from spinehub.errors import InvalidArgumentError


def test_a_link_without_seeds_asks_for_nothing() -> None:
    assert parse_link({}) is None
    assert parse_link({"__theme": "dark"}) is None


def test_seeds_tolerance_and_reach_are_read() -> None:
    linked = parse_link({"seeds": "1,2,-3.5;4,5,6", "background": "7,8,9", "tolerance": "12.5", "reach": "40"})
    assert [seed.position_mm for seed in linked.seeds] == [(1, 2, -3.5), (4, 5, 6), (7, 8, 9)]
    assert [seed.background for seed in linked.seeds] == [False, False, True]
    assert (linked.tolerance, linked.reach_mm, linked.own_image) == (12.5, 40.0, False)
    assert parse_link({"seeds": "1,2,3", "image": "own"}).own_image


@pytest.mark.parametrize(
    "query",
    [
        {"seeds": "1,2"},
        {"seeds": "1,2,nan"},
        {"seeds": "<script>,2,3"},
        {"seeds": ""},
        {"seeds": "1,2,3", "tolerance": "-1"},
        {"seeds": "1,2,3", "reach": "1e9"},
        {"seeds": ";".join(["1,2,3"] * 40)},
    ],
)
def test_what_is_out_of_range_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(InvalidArgumentError, match="copy"):
        parse_link(query)

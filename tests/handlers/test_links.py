"""Links that carry parameters only."""

from pathlib import Path

import pytest
from visitors import CENTRE, GRID, ball_series, linked_request, seeds_in_link, uploaded

from spinehub.demo import handlers as module
from spinehub.demo.handlers import Handlers


def test_a_link_places_its_seeds_at_its_tolerance(page: Handlers) -> None:
    session, view = page.open_page(linked_request(seeds=seeds_in_link(), tolerance="0.5", reach="30"))
    assert [seed.index_on(GRID) for seed in session.seeds] == [CENTRE]
    assert (session.tolerance, session.reach_mm, session.linked) == (0.5, 30.0, None)
    assert view.viewer.info["tolerance"] == 0.5
    assert view.reach == 30.0


def test_a_link_to_an_image_of_ones_own_waits_for_the_file(
    page: Handlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(module.gr, "Info", said.append)
    session, _ = page.open_page(linked_request(seeds=seeds_in_link(), image="own"))
    assert session.is_example
    assert "Open the same file" in said[0]
    session, _ = page.upload([str(uploaded(tmp_path, ball_series()))], session)
    assert [seed.index_on(GRID) for seed in session.seeds] == [CENTRE]


def test_a_broken_link_shows_the_example(page: Handlers, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module.gr, "Warning", lambda message, **_: said.append(message))
    session, view = page.open_page(linked_request(seeds="x"))
    assert session.seeds == ()
    assert view.viewer is not None
    assert len(said) == 1

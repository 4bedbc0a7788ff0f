"""Folders and the store: each visitor has a folder of their own, and it goes."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from spinehub.demo.cases import CaseStore, LoadedCase
from spinehub.demo.session import MAX_FILES, Session, Workspace
from spinehub.errors import InputRefusedError, InvalidArgumentError
from spinehub.perfusion import Timing
from spinehub.volume import Grid, Seed, Volume


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "root")


def loaded() -> LoadedCase:
    volume = Volume(np.zeros((2, 2, 2)), Grid((2, 2, 2), np.eye(4)))
    return LoadedCase(volume, Timing("single", None, None, 0, None, None), {})


def test_every_visitor_has_an_unguessable_folder(workspace: Workspace) -> None:
    tokens = {workspace.enter(f"visitor {n}") for n in range(5)}
    assert len(tokens) == 5
    assert all(len(token) >= 20 and workspace.folder(token).is_dir() for token in tokens)


@pytest.mark.parametrize("token", ["", "..", "a/b", "../other", "/etc"])
def test_a_token_never_leads_out_of_the_root(workspace: Workspace, token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="reload the page"):
        workspace.folder(token)


def test_uploads_are_moved_and_keep_their_names(workspace: Workspace, tmp_path: Path) -> None:
    token = workspace.enter("visitor")
    uploads = [tmp_path / "a.nii.gz", tmp_path / "a.json"]
    for upload in uploads:
        upload.write_text(upload.name)
    taken = [Path(path) for path in workspace.take(token, uploads)]
    assert [path.name for path in taken] == ["a.nii.gz", "a.json"]
    assert taken[0].parent == taken[1].parent  # a sidecar lies beside its file
    assert all(path.is_relative_to(workspace.folder(token)) for path in taken)
    assert not any(upload.exists() for upload in uploads)
    assert workspace.count(token) == 2


def test_too_many_files_are_refused(workspace: Workspace) -> None:
    token = workspace.enter("visitor")
    with pytest.raises(InputRefusedError, match=f"at most {MAX_FILES}, got {MAX_FILES + 1}"):
        workspace.take(token, ["x"] * (MAX_FILES + 1))


def test_leaving_removes_only_the_own_folder(workspace: Workspace) -> None:
    one, two = workspace.enter("one"), workspace.enter("two")
    assert workspace.leave("one") == one
    assert not workspace.folder(one).exists()
    assert workspace.folder(two).exists()
    assert workspace.leave("one") is None
    assert workspace.leave(None) is None


def test_old_folders_are_swept_but_not_the_example(workspace: Workspace) -> None:
    old, shared = workspace.enter("old"), workspace.shared
    past = time.time() - 2 * workspace.max_age_s
    for folder in (workspace.folder(old), shared):
        os.utime(folder, (past, past))
    new = workspace.enter("new")
    assert not workspace.folder(old).exists()
    assert workspace.folder(new).exists()
    assert shared.exists()


def test_a_workspace_removes_what_a_killed_process_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    abandoned, fresh = tmp_path / "spinehub-old", tmp_path / "spinehub-new"
    for folder in (abandoned, fresh):
        folder.mkdir()
    past = time.time() - 7300
    os.utime(abandoned, (past, past))
    workspace = Workspace.make()
    assert not abandoned.exists()
    assert fresh.exists()
    assert workspace.root.parent == tmp_path
    workspace.close()
    assert not workspace.root.exists()


def test_the_store_is_bounded_and_forgets_one_visitor() -> None:
    store = CaseStore(limit=3)
    sessions = [Session(f"token {n}") for n in range(4)]
    for session in sessions:
        store.put(session.case_key, loaded())
    assert len(store) == 3
    assert store.get(sessions[0].case_key) is None
    store.drop("token 2")
    assert store.get(sessions[2].case_key) is None
    assert store.get(sessions[3].case_key) is not None


def test_the_store_keeps_what_was_used_last() -> None:
    store, first, second, third = CaseStore(limit=2), *(Session(name) for name in "abc")
    store.put(first.case_key, loaded())
    store.put(second.case_key, loaded())
    store.get(first.case_key)
    store.put(third.case_key, loaded())
    assert store.get(first.case_key) is not None
    assert store.get(second.case_key) is None


def test_the_store_knows_what_is_still_wanted() -> None:
    store, session = CaseStore(), Session("token", seeds=(Seed((0.0, 0.0, 0.0)),), tolerance=1.0)
    store.want("token", session.wanted)
    assert store.wants("token", session.wanted)
    store.want("token", Session("token", seeds=session.seeds, tolerance=2.0).wanted)
    assert not store.wants("token", session.wanted)
    store.want("token", session.wanted)
    store.drop("token")
    assert not store.wants("token", session.wanted), "nothing more is worked out for a visitor who has left"

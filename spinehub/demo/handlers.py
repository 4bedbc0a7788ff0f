"""What happens when a visitor does something: plain functions from a session and inputs to a session and a view.

No handler keeps anything of a visitor: the session comes in and goes out through Gradio's state, voxels come from the
bounded store, files lie in the visitor's folder.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from spinehub.demo import shown
from spinehub.demo.cases import CaseStore, LoadedCase, Outcome
from spinehub.demo.downloads import write_downloads
from spinehub.demo.lessons import lesson_case
from spinehub.demo.links import linked_lesson, parse_link
from spinehub.demo.loading import example_session, load_case, load_example, parse_times
from spinehub.demo.markup import sentence
from spinehub.demo.memory import give_back
from spinehub.demo.occluding import OcclusionHandlers
from spinehub.demo.plain import PlainHandlers
from spinehub.demo.reader import ReaderHandlers, reader_parts
from spinehub.demo.reference_panel import comparisons
from spinehub.demo.references import ReferenceHandlers
from spinehub.demo.regions import Reply
from spinehub.demo.report_card import NOTE_FIELDS, notes_of, said
from spinehub.demo.session import Session, Workspace
from spinehub.demo.view import KEEP, View
from spinehub.errors import InvalidArgumentError
from spinehub.pipeline import analyse
from spinehub.report import ReaderNotes
from spinehub.volume import Volume

__all__ = ["Handlers", "Reply"]

_Asked = TypeVar("_Asked")


class Handlers(ReaderHandlers, ReferenceHandlers, OcclusionHandlers, PlainHandlers):
    """All handlers of one page, with the folders and the store they share.

    Parameters
    ----------
    workspace
        Folders of the visitors.
    store
        Loaded cases.
    run
        :func:`spinehub.pipeline.analyse`, or something that stands in for it in a test.
    """

    def __init__(self, workspace: Workspace, store: CaseStore, run: Callable[..., Any] = analyse) -> None:
        self.workspace = workspace
        self.store = store
        self.run = run

    # --- coming and going ---

    def open_page(self, request: gr.Request) -> Reply:
        """Show the example, already analysed, or what the link the page was opened with asks for."""
        linked, lesson = _asked(request, parse_link), _asked(request, linked_lesson)
        case, session = self._example(Session(self.workspace.enter(request.session_hash)))
        view = self._whole(case, session, {})  # its files come once it is on the screen
        view = replace(view, **dict.fromkeys(NOTE_FIELDS, KEEP))  # still empty, or typed in already
        if lesson is not None:
            return self._open(lesson, session)
        if linked is None:
            return session, view
        session = replace(session, linked=linked)
        if linked.own_image:
            gr.Info("This link belongs to an image of the sender's. Open the same file, and its seeds are placed.")
            return session, view
        session, placed = self._follow_link(session)
        return session, replace(view, **shown.vars_given(placed))

    def use_example(self, session: Session) -> Reply:
        """Go back to the bundled example. Its files are offered after this."""
        case, session = self._example(self._known(session))
        return session, self._whole(case, session, {})

    def leave(self, request: gr.Request) -> None:
        """Forget a visitor: folder and voxels."""
        token = self.workspace.leave(request.session_hash)
        if token is not None:
            self.store.drop(token)
        give_back()

    def forget(self, session: Session | None) -> None:
        """Forget a session whose time is over."""
        if session is not None:
            self.workspace.clear(session.token)
            self.store.drop(session.token)

    def delete_now(self, session: Session) -> Reply:
        """Remove the visitor's files at once, say how many are left, and show the example again."""
        self.workspace.clear(self._known(session).token)
        self.store.drop(session.token)
        left = self.workspace.count(session.token)
        self.workspace.folder(session.token).mkdir(exist_ok=True)
        session, view = self.use_example(replace(session, readings=()))
        return session, replace(view, privacy_panel=shown.privacy(left))

    # --- a case ---

    def upload(self, files: Sequence[str] | None, session: Session) -> Reply:
        """Read what was uploaded and show it without a lesion."""
        if not files:
            return KEEP, View()
        paths = self.workspace.take(self._known(session).token, files)
        fresh = Session(session.token, files=paths, linked=session.linked, revision=session.revision + 1)
        fresh = replace(fresh, readings=session.readings)
        session, view = self._explore(fresh)
        if session.linked is None or not session.linked.own_image:
            return session, view
        session, placed = self._follow_link(session)
        return session, replace(view, **shown.vars_given(placed))

    def set_times(self, text: str, session: Session) -> Reply:
        """Read the same files again with the times the visitor typed."""
        times_s, interval_s = parse_times(text)
        session = replace(self._known(session), times_s=times_s, frame_interval_s=interval_s)
        return self._explore(replace(session, seeds=(), tolerance=None, references=(), revision=session.revision + 1))

    def say_contrast(self, answer: str | None, session: Session) -> Reply:
        """Note whether contrast was given before a single volume."""
        given = {"yes": True, "no": False}.get(answer or "")
        session = replace(self._known(session), contrast_given=given)
        self.store.want(session.token, session.wanted)
        return session, shown.downloads({})

    # --- the answer ---

    def analyse(self, session: Session, progress: gr.Progress = gr.Progress()) -> Reply:  # noqa: B008
        """Measure the lesion and ask the four routes; shown only if it still is what the visitor wants."""
        case = self._case(session)
        if case.analysed == session.wanted:
            return KEEP, View()
        answered = self._work_out(case, session, progress)
        if answered is None:
            return KEEP, View()
        viewer = self._viewer(answered, session)
        return KEEP, replace(shown.outcome(answered, hidden=session.labels_hidden), viewer=viewer)

    def _work_out(self, case: LoadedCase, session: Session, progress: Callable[..., Any]) -> LoadedCase | None:
        """Run the analysis and keep what it found with the case; None where the visitor has moved on meanwhile."""

        def tell(share: float, text: str) -> None:
            if not self.store.wants(session.token, session.wanted):
                raise _NoLongerWanted
            progress(share, desc=text)

        try:
            report = self.run(case.image, progress=tell, source=case.source, **_region(session, case))
            tell(1.0, "done")
        except _NoLongerWanted:
            report = None
        if report is None:
            give_back()  # after the exception, whose frames hold the arrays; the visitor may have left
            return None
        report = shown.with_contrast_answer(report, session.contrast_given)
        case = replace(self._case(session), maps=report.maps, report=report, analysed=session.wanted)
        case = replace(case, outcome=Outcome.of(report))
        case = replace(case, report=replace(report, references=comparisons(case)))
        return self.store.put(session.case_key, case)

    def stop(self, session: Session) -> Reply:
        """Stop what is being worked out, before its next stage, and say so."""
        self.stop_occlusion(self._known(session))
        if self._case(session).analysed == session.wanted:
            return KEEP, View()  # the answer is there: only an explanation was being worked out
        self.store.want(session.token, ("stopped",))
        return KEEP, shown.stopped()

    def downloads(self, session: Session) -> Reply:
        """Write the files of what is on the page and offer them; nothing where its answer is still awaited.

        One at a time, beside an analysis: nothing is written for a case that was left, and what was being written
        when it was left is removed.
        """
        case = self._case(session)
        if case.analysed != session.wanted or not self.store.wants(session.token, session.wanted):
            return KEEP, View()
        self.store.want_files(session)
        files = self._files(case, session)
        if not self.store.wants(session.token, session.wanted):
            self.workspace.discard_output(session.token)  # deleted, left, or of a region before
            return KEEP, View()
        # What changed meanwhile has greyed the buttons, and these are not its files: those come with its own turn.
        return KEEP, shown.downloads(files) if self.store.wants_files(session) else View()

    def report_references(self, session: Session) -> Reply:
        """Analyse the untouched example where a reference was placed: the report that is stored knows of none."""
        case = self._case(session)
        if case.report is None and session.references and case.analysed == session.wanted:
            self._work_out(case, session, _untold)
        return KEEP, View()

    def set_notes(self, *form: Any) -> Reply:
        """Take what the visitor states; the session comes last. The files are written anew after this."""
        *values, session = form
        notes = notes_of(*values)
        if notes == self._known(session).notes:
            return KEEP, View()
        session = replace(session, notes=notes)
        self.store.want_files(session)
        return session, replace(shown.downloads({}), notes_said=said(notes))

    def set_bundle(self, with_images: bool, session: Session) -> Reply:
        """Take whether the bundle holds the images. The files are written anew after this."""
        session = replace(self._known(session), with_images=bool(with_images))
        if with_images and session.teaching is not None:
            gr.Info("A teaching case has no file: “spinehub simulate --teaching” writes its images.")
        self.store.want_files(session)
        return session, shown.downloads({})

    # --- steps they share ---

    def _known(self, session: Session | None) -> Session:
        if session is None:
            raise InvalidArgumentError("session is not known here any more; reload the page")
        return session

    def _case(self, session: Session) -> LoadedCase:
        case = self.store.get(self._known(session).case_key)
        if case is None:
            case = self._load(session)
            self.store.put(session.case_key, case)
        return case

    def _example(self, session: Session) -> tuple[LoadedCase, Session]:
        """The bundled example, as it is for everybody, and a visitor's session on it."""
        fresh = example_session(session.token)
        session = replace(fresh, readings=session.readings, revision=session.revision + 1)
        self.store.want(session.token, session.wanted)
        return self.store.put(session.case_key, self._load(session)), session

    def _load(self, session: Session) -> LoadedCase:
        if session.teaching is not None:
            return lesson_case(session)
        if session.is_example:
            return replace(load_example(), analysed=example_session(session.token).wanted)
        return load_case(session)

    def _files(self, case: LoadedCase, session: Session) -> Mapping[str, Path]:
        """Files of the last analysis; those of the untouched example are the same for every visitor."""
        untouched = case.report is None and session.notes == ReaderNotes() and not session.with_images
        folder = self.workspace.shared if untouched else self.workspace.folder(session.token)
        return write_downloads(case, session, folder)

    def _whole(self, case: LoadedCase, session: Session, files: Mapping[str, Path]) -> View:
        view = shown.whole(case, session, self._viewer(case, session), files)
        return replace(view, **reader_parts(case, session))

    def _viewer(self, case: LoadedCase, session: Session) -> Any:
        folder = self.workspace.folder(session.token)
        own = session.files  # what is bundled is written once for all visitors
        return shown.viewer(case, session, folder if own else self.workspace.shared, folder)

    def _explore(self, session: Session) -> Reply:
        case = self._case(session)
        if isinstance(case.image, Volume) and session.frame_interval_s is not None:
            gr.Info("Frame times are ignored: this is a single volume.")
        self.store.want(session.token, session.wanted)
        return session, self._whole(case, session, {})


class _NoLongerWanted(Exception):  # noqa: N818 - no error: the visitor has moved on or pressed Stop
    """Ends an analysis whose answer nobody waits for."""


def _untold(_share: float, desc: str) -> None:
    """Progress of what is worked out again, unseen, for the files alone."""


def _region(session: Session, case: LoadedCase) -> dict[str, Any]:
    """What the analysis is told about the region; without one it asks no model."""
    if session.labels_hidden:
        return {**_region(replace(session, teaching=None), case), "models": {}}  # a reader answers before the models
    if case.given is not None:
        return {"mask": case.given}
    if not session.seeds or session.tolerance is None:
        return {"models": {}}
    if session.cuts and case.growth is not None:
        return {"mask": case.growth.mask(session.tolerance)}  # a plain growing would run through the neck again
    return {"seeds": session.seeds, "tolerance": session.tolerance, "reach_mm": session.reach_mm, "repeat": True}


def _asked(request: gr.Request, read: Callable[[Mapping[str, str]], _Asked | None]) -> _Asked | None:
    """What the address asks for; a link that cannot be read is said to be so, and the example is shown."""
    try:
        return read(dict(getattr(request, "query_params", None) or {}))
    except InvalidArgumentError as error:
        gr.Warning(sentence(error), title="Link not followed")
        return None

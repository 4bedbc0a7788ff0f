"""Start the page with settings that keep images private."""

import atexit
import signal
import sys
from types import FrameType

import gradio as gr

from spinehub.demo.cases import CaseStore
from spinehub.demo.handlers import Handlers
from spinehub.demo.layout import build_demo
from spinehub.demo.session import MAX_FILE_MB, Workspace
from spinehub.demo.theme import HEAD, page_theme

__all__ = ["launch"]


def launch(demo: gr.Blocks | None = None, *, wait: bool = True) -> gr.Blocks:
    """Serve the page until it is stopped; then every visitor's file is removed.

    No host or port is passed: Gradio reads ``GRADIO_SERVER_NAME`` and ``GRADIO_SERVER_PORT``, and without them
    listens on this machine only.

    Parameters
    ----------
    demo
        From :func:`spinehub.demo.build_demo`; None: built here, with a workspace that ends with the process.
    wait
        False returns at once and serves in the background, for tests.
    """
    if demo is None:
        workspace = Workspace.make()
        atexit.register(workspace.close)
        demo = build_demo(Handlers(workspace, CaseStore()))
    if wait:
        signal.signal(signal.SIGTERM, _stop)
    demo.launch(
        share=False,
        show_error=False,
        run_history=False,  # would keep inputs and results in the browser
        enable_monitoring=False,
        strict_cors=True,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        allowed_paths=[],
        max_file_size=f"{MAX_FILE_MB}mb",
        state_session_capacity=40,
        footer_links=[],
        theme=page_theme(),
        head=HEAD,
        prevent_thread_lock=not wait,
    )
    return demo


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that what was registered for the end runs."""
    sys.exit(0)

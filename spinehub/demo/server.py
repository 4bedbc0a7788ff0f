"""Start the page with settings that keep images private."""

import gradio as gr

from spinehub.demo.layout import build_demo
from spinehub.demo.theme import HEAD, page_theme

__all__ = ["launch"]


def launch(demo: gr.Blocks | None = None, *, wait: bool = True) -> gr.Blocks:
    """Serve the page until it is stopped.

    No host or port is passed: Gradio reads ``GRADIO_SERVER_NAME`` and ``GRADIO_SERVER_PORT``, and without them
    listens on this machine only.

    Parameters
    ----------
    demo
        From :func:`spinehub.demo.build_demo`; None: built here.
    wait
        False returns at once and serves in the background, for tests.
    """
    demo = demo or build_demo()
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
        max_file_size="300mb",
        state_session_capacity=40,
        footer_links=[],
        theme=page_theme(),
        head=HEAD,
        prevent_thread_lock=not wait,
    )
    return demo

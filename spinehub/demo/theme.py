"""Look of the page: Gradio's theme variables; order, cards and the viewer are in the sheets of static/."""

import gradio as gr

from spinehub.demo.viewer import STATIC

__all__ = ["HEAD", "page_theme"]

_SHEETS = ("page.css", "panels.css", "tools.css", "reader.css", "forms.css")
HEAD = (
    "".join(f'<link rel="stylesheet" href="gradio_api/file={STATIC / name}">' for name in _SHEETS)
    + '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'
)
_FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
_TEAL = gr.themes.Color(
    c50="#eef7fa", c100="#d5eaf1", c200="#aed6e4", c300="#7dbcd2", c400="#4b9cb9", c500="#2f84a3", c600="#1f6f8b",
    c700="#1b5c74", c800="#194d61", c900="#173f50", c950="#0f2a36", name="spinehub-teal",
)  # fmt: skip


def page_theme() -> gr.themes.Base:
    """Calm teal on grey, system fonts (no font is fetched), the same in light and dark."""
    theme = gr.themes.Base(
        primary_hue=_TEAL,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_sm,
        spacing_size=gr.themes.sizes.spacing_sm,
        font=_FONT,
        font_mono=("ui-monospace", "DejaVu Sans Mono", "monospace"),
    )
    return theme.set(
        body_background_fill="#f4f6f8",
        body_background_fill_dark="#0e141b",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_shadow_dark="none",
        button_primary_background_fill="#1f6f8b",
        button_primary_background_fill_dark="#1f6f8b",
        button_primary_background_fill_hover="#1b5c74",
        button_primary_background_fill_hover_dark="#2f84a3",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        slider_color="#1f6f8b",
        slider_color_dark="#4b9cb9",
    )

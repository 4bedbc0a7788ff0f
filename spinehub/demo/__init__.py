"""The page: NiiVue viewer, instant tolerance, curve, routes and downloads, on Gradio."""

from spinehub.demo.layout import build_demo
from spinehub.demo.server import launch

__all__ = ["build_demo", "launch"]

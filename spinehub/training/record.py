"""What a training leaves behind for people: a log line by line and its curves as a picture."""

import json
from pathlib import Path
from typing import Any

__all__ = ["TrainingLog", "draw_curves"]


class TrainingLog:
    """``log.jsonl``: one JSON object per line, appended as the training goes on.

    Parameters
    ----------
    path
        File; made with its folder.
    keep_until
        When resuming: lines of later steps, written after the last checkpoint, are dropped.
    """

    def __init__(self, path: Path, *, keep_until: int = 0) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [line for line in read_log(path) if line["step"] <= keep_until]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def write(self, step: int, **values: Any) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a log; a line cut short by a crash is left out."""
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def draw_curves(log: Path, picture: Path) -> None:
    """Draw training loss, validation score and learning rate against the step as a PNG."""
    from matplotlib.figure import Figure

    lines = read_log(log)
    figure = Figure(figsize=(8, 6), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    for panel, name, title in zip(
        panels, ("loss", "score", "learning_rate"), ("training loss", "validation score", "learning rate"), strict=True
    ):
        points = [(line["step"], line[name]) for line in lines if name in line]
        if points:
            panel.plot(*zip(*points, strict=True), color="#1f4e79", linewidth=1.2)
        panel.set_ylabel(title)
        panel.grid(alpha=0.3)
    panels[-1].set_xlabel("step")
    figure.savefig(picture, dpi=110)

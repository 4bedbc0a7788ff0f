"""What stands beside the choice of the mask, and the list of lesions the U-Net proposes, as HTML."""

from collections.abc import Sequence

from spinehub.demo.cases import LoadedCase
from spinehub.demo.markup import element, join
from spinehub.demo.session import MaskSource, Session
from spinehub.render.prose import number
from spinehub.routes import Proposal

__all__ = ["SOURCES", "no_proposals", "proposals_panel", "source_note"]

SOURCES: dict[MaskSource, str] = {"growing": "Growing", "unet": "U-Net", "file": "File"}
"""What the visitor chooses between."""

_NOTES: dict[MaskSource, str] = {
    "growing": "",
    "unet": "The U-Net's own outline around the lesion seeds: where it reads lesion as more likely than not. It "
    "learned from simulated cases. The scores of the four methods were measured with grown masks.",
    "file": "Your mask, as it is: every voxel other than 0. The scores of the four methods were measured with grown "
    "masks.",
}
_WAITING: dict[MaskSource, str] = {
    "growing": "",
    "unet": "Click the lesion: the U-Net draws its outline around the click.",
    "file": "Upload a mask as NIfTI, NRRD or MHA: 3-D, on the same voxels as the image.",
}
_CAVEAT = (
    "Proposed by the U-Net from simulated cases; false alarms are common, and lesions are missed. A place to look at, "
    "not a finding."
)


def source_note(case: LoadedCase, session: Session) -> str:
    """What the source of the mask means, and what to do where there is no mask yet."""
    if session.mask_source == "growing":
        return ""
    if case.given is None:
        return element("p", _WAITING[session.mask_source], class_="sh-small")
    volume = case.given.volume_ml
    now = element("span", f"{number(volume, 2 if volume < 10 else 1)} ml", class_="sh-now-value")
    line = element("div", element("span", "Volume"), now, class_="sh-pair")
    return join(line, element("p", _NOTES[session.mask_source], class_="sh-small"))


def no_proposals(text: str) -> str:
    """Say why there is no list of proposals."""
    return element("p", text, class_="sh-small", role="status")


def proposals_panel(case: LoadedCase, proposals: Sequence[Proposal]) -> str:
    """One button per proposal, which puts a seed at its deepest point."""
    if not proposals:
        return no_proposals("The U-Net sees no lesion in this volume. It can miss one.")
    rows = []
    for rank, proposal in enumerate(proposals, start=1):
        index = ", ".join(str(n) for n in proposal.seed.index_on(case.image.grid))
        volume = f"{number(proposal.volume_ml, 1)} ml"
        mean = f"mean probability {proposal.probability:.2f}"
        place = ",".join(f"{mm:.3f}" for mm in proposal.seed.position_mm)
        button = element(
            "button", element("b", f"{rank}"), element("span", f"{volume} · {mean}"),
            type="button", class_="sh-proposal", data_propose=place, data_rank=rank,
            aria_label=f"Put a seed into proposal {rank}: {volume}, {mean}, voxel {index}",
        )  # fmt: skip
        rows.append(element("li", button))
    listed = element("ol", *rows, class_="sh-proposals", aria_label="Lesions the U-Net proposes")
    return join(listed, element("p", _CAVEAT, class_="sh-small"))

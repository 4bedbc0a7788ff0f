"""What every number on the page means: one entry per name, shown in a dialogue that each "?" opens.

The entries hold no text of a file or a visitor. Sources are linked; what has none is called ours.
"""

from dataclasses import dataclass

from spinehub.demo.markup import Markup, element, join

__all__ = ["DEFINITIONS", "SOURCES", "Definition", "definitions_dialog", "source_link", "what"]

SOURCES = {
    "Lang 2017": "https://pmc.ncbi.nlm.nih.gov/articles/PMC6279440/",
    "Lang 2019": "https://pmc.ncbi.nlm.nih.gov/articles/PMC6713616/",
    "Parker 2006": "https://doi.org/10.1002/mrm.21066",
    "Szomolanyi 2019": "https://pmc.ncbi.nlm.nih.gov/articles/PMC6738537/",
    "OSIPI lexicon": "https://osipi.github.io/OSIPI_CAPLEX/",
    "Zeiler 2014": "https://doi.org/10.1007/978-3-319-10590-1_53",
    "Wang 2023": "https://doi.org/10.1016/j.jbo.2023.100498",
    "Brier 1950": "https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    "Dice 1945": "https://doi.org/10.2307/1932409",
}


@dataclass(frozen=True)
class Definition:
    """One entry.

    Parameters
    ----------
    title
        Name as it stands on the page, with its unit where it has one.
    text
        One or two sentences.
    formula
        As text; empty where there is none.
    source
        Key of :data:`SOURCES`; empty: our own choice.
    """

    title: str
    text: str
    formula: str = ""
    source: str = ""


_S = "S(t0 + {} s)"
DEFINITIONS: dict[str, Definition] = {
    "voxel": Definition(
        "Voxel (i, j, k) and position (x, y, z)",
        "Voxels are counted from zero in the order of the file; positions are in mm, and grow towards the patient’s "
        "right, front and head. The size of a voxel is given along i, j and k.",
        "(x, y, z) = affine · (i, j, k, 1)",
    ),
    "arrival": Definition(
        "Contrast arrival t0, in s",
        "The time at which the 99th percentile of enhancement in the body first exceeds its baseline by 5 robust "
        "standard deviations and stays there for two frames. Found once per series; uncertain by half a frame.",
    ),
    "baseline": Definition("Baseline S0", "Mean signal of the frames that end before contrast arrives."),
    "early_enhancement": Definition(
        "Early enhancement, in %",
        "How far the hot spot's mean curve has risen 45 s after arrival, linear between frames. It depends on T1, flip "
        "angle and repetition time, so compare it only within one protocol; on the frame interval it hardly depends.",
        f"100 ({_S.format(45)} − S0) / S0",
    ),
    "washout": Definition(
        "Wash-out, in %",
        "Change of the hot spot's mean curve from 67 s to 240 s after arrival; where the peak of a three-frame moving "
        "average lies earlier than 67 s, from that peak. Negative: signal falls. The scan must reach 240 s.",
        f"100 ({_S.format(240)} − Sref) / Sref, Sref = {_S.format(67)} or the earlier peak",
        "Lang 2017",
    ),
    "peak_enhancement": Definition("Peak enhancement, in %", "Highest frame over baseline.", "100 (Smax − S0) / S0"),
    "washin_ratio": Definition(
        "Steepest rise between two frames, in %",
        "A descriptive figure of older papers. It depends on the frame interval and on when contrast arrives within a "
        "frame, so it is never compared across intervals.",
        "100 max(S[n+1] − S[n]) / S0",
        "Lang 2017",
    ),
    "last_frame_washout": Definition(
        "Wash-out to the last frame, in %",
        "As older papers read it: it depends on how long the scan goes on. Shown in the sandbox only.",
        f"100 (Slast − {_S.format(67)}) / {_S.format(67)}",
        "Lang 2017",
    ),
    "time_to_peak": Definition(
        "Time to peak, in s", "Time of the highest frame after arrival; where that is the last frame, at least so long."
    ),
    "iauc90": Definition(
        "Initial area under the curve, in % s",
        "Area under the enhancement over the first 90 s after arrival. The scan must reach that far.",
        "∫ 100 (S − S0) / S0 dt from t0 to t0 + 90 s",
        "OSIPI lexicon",
    ),
    "percent_enhancement": Definition(
        "Percent enhancement, in %", "Of three phases: the first after contrast over the one before.",
        "100 (S1 − S0) / S0",
    ),
    "signal_enhancement_ratio": Definition(
        "Signal enhancement ratio",
        "Of three phases: the first rise over the last one. Above 1, signal falls between them.",
        "(S1 − S0) / (S2 − S0)",
    ),
    "hot_spot": Definition(
        "Hot spot",
        "Where the two parameters are read: the connected set in one slice, at least one voxel inside the mask's edge, "
        "with the highest mean enhancement from 30 to 120 s after arrival. Its size is the largest of 9 voxels, 50 mm² "
        "and 5 % of the lesion, at most half of it; vessels and dark voxels are left out.",
    ),
    "reference": Definition(
        "Ratio to a reference region",
        "Enhancement of the lesion's mean curve over that of a circle you place in normal marrow, muscle or a vessel: "
        "early (45 s after arrival; without times, in the first frame after contrast) and at the highest frame of "
        "each. It depends less on T1 weighting than a percentage does, but on where you place the circle. Below 5 % "
        "enhancement of the circle no ratio is given. No threshold for these two classes is known.",
        "enhancement of the lesion / enhancement of the circle",
    ),
    "occlusion": Definition(
        "Occlusion, in log-odds",
        "A square of the crop is replaced by the median of the tissue around it, and the network is asked again. The "
        "map holds how much its log-odds for a primary tumour fall: above 0 the place speaks for a primary tumour, "
        "below 0 for a metastasis. Covering makes images no scanner makes, so small changes mean little.",
        "log-odds as it is − log-odds with the place covered",
        "Zeiler 2014",
    ),
    "curve_type": Definition(
        "Curve type",
        "0 does not enhance; 1 persistent (wash-out above +10 %); 2 plateau; 3 wash-out (below −10 %).",
    ),
    "volume": Definition("Volume, in ml", "Voxels of the mask times the volume of one voxel."),
    "stability": Definition(
        "Volume when the click moves, in ml",
        "The region is grown again from places near the click, each with three tolerances; the interval holds the 5th "
        "to the 95th percentile of the volumes. The overlay “Agreement” shows the share of these regions that "
        "holds each voxel. It is what another click would change, not how far the region is from the truth.",
    ),
    "agreement": Definition(
        "Agreement when the click moves",
        "For each voxel the share of the regions, grown again from places near the click, that hold it.",
    ),
    "diameters": Definition(
        "Diameters, in mm",
        "The longest, the longest across it, and the extent across both, from outer edge to outer edge.",
    ),
    "tolerance": Definition(
        "Tolerance, in mm of arrival",
        "How far the region grows from the seeds. Each voxel has an arrival value, the smallest tolerance at which it "
        "joins; the mask is every voxel whose value is at most the tolerance, so the slider needs no computation.",
        "inside ⇔ arrival ≤ tolerance",
    ),
    "leak": Definition(
        "Leak",
        "A jump of the volume when the tolerance rises a little: the region has broken into its surroundings. The "
        "suggested tolerance stays below it.",
    ),
    "reach": Definition("Reach, in mm", "No voxel farther than this from a lesion seed can join."),
    "probability": Definition(
        "Probability of a method",
        "Calibrated on simulated cases, for equal priors: as if metastases and primary tumours were equally common, "
        "and nothing else existed. It is not the probability that a patient has the disease.",
        "sigmoid(slope · score + intercept)",
    ),
    "contribution": Definition(
        "Contribution of a feature, in log-odds",
        "What one feature adds in the linear model: its coefficient times how many standard deviations it lies from "
        "the training mean, calibrated. All contributions and a constant add up to the log-odds of the probability.",
        "slope · β · (x − mean) / SD",
    ),
    "class_map": Definition(
        "Class map of the U-Net",
        "Where the network reads lesion: the share of that which it gives to a primary tumour, 0 (metastasis) to 1.",
    ),
    "truth": Definition(
        "True lesion", "Where the simulator put the lesion of a teaching case; known because it is simulated."
    ),
    "undecided": Definition(
        "Undecided",
        "Both classes stay possible (or neither): on simulated cases, the set of classes that stay possible holds the "
        "true one in 9 of 10 cases of either class.",
    ),
    "auc": Definition(
        "AUC on simulated cases",
        "How often the method ranks a simulated primary tumour above a simulated metastasis; 0.5 is chance, and no "
        "method can pass the simulator's own ceiling of about 0.90. Measured end to end, from one simulated click, on "
        "cases the method had not seen; the brackets hold a 95 % interval. Accuracy on real patients is unknown.",
    ),
    "measured_agreement": Definition(
        "Accuracy given that agreement",
        "How often the class that most methods found likelier, decided or not, was right on simulated cases in which "
        "as many of them agreed; the brackets hold a 95 % interval. It is measured and not multiplied from accuracies, "
        "because all of them learned from one simulator and share its mistakes. Accuracy on real patients is unknown.",
    ),
    "prior": Definition(
        "Prior",
        "How common primary tumours are among the lesions you see, before any image. The methods speak for equal "
        "priors, so their odds are multiplied by the odds of your prior.",
        "odds after = p / (1 − p) · prior / (1 − prior)",
    ),
    "posterior": Definition(
        "The best anyone could say",
        "The exact probability of a primary tumour given everything the simulator drew that can be seen (site, "
        "mass, septa, kinetics, rim, texture; on some cases also age, level and number of lesions), from its own "
        "densities and for equal priors. Nobody who sees the same can do better on average, and no method either.",
        "q = P(primary | what can be seen)",
    ),
    "points": Definition(
        "Points lost",
        "The answer p is scored against that posterior q and not against the label: its Brier score averaged over "
        "what the lesion could have been, less that of the best answer. 0 is as good as possible, 100 is being sure of "
        "one class where the other is certain; under 1, p lies within 0.1 of q, and that counts as none.",
        "points = 100 (p − q)²",
        "Brier 1950",
    ),
    "dice": Definition(
        "Dice overlap",
        "How far two regions agree: twice what they share over the sum of both. 1 is the same region, 0 none shared.",
        "2 |A ∩ B| / (|A| + |B|)",
        "Dice 1945",
    ),
    "ktrans": Definition(
        "Ktrans, in 1/min",
        "Transfer constant of contrast agent from plasma into the space between the cells: flow and leakiness.",
        "Ct(t) = vp Cp(t) + Ktrans ∫ Cp(u) exp(−(Ktrans / ve)(t − u)) du",
        "OSIPI lexicon",
    ),
    "ve": Definition("ve", "Share of the tissue that is space between its cells.", "", "OSIPI lexicon"),
    "vp": Definition("vp", "Share of the tissue that is blood plasma.", "", "OSIPI lexicon"),
    "t1": Definition("T1, in s", "Longitudinal relaxation time of the tissue before contrast; long T1 is dark."),
    "signal": Definition(
        "Signal of a spoiled gradient echo",
        "Contrast agent shortens T1 and so raises the signal, less than in proportion: how much depends on the flip "
        "angle α and the repetition time TR.",
        "S ∝ sin α (1 − E) / (1 − cos α · E), E = exp(−TR (1/T1 + 4.5 · C))",
        "OSIPI lexicon",
    ),
    "frame_interval": Definition(
        "Frame interval, in s", "Time from one frame to the next; a frame is the mean over that time."
    ),
    "phase": Definition(
        "Arrival within a frame",
        "Contrast may arrive at the start, the middle or the end of a frame. Nobody chooses it, and figures that "
        "change with it are not trustworthy.",
    ),
}  # fmt: skip


def what(name: str) -> Markup:
    """Return the small button that opens the definition of a number."""
    label = f"What is this: {DEFINITIONS[name].title}?"
    return element("button", "?", type="button", class_="sh-what", data_define=name, aria_label=label, title=label)


def source_link(source: str) -> Markup:
    """Link to a source; followed only when it is clicked, without telling where from."""
    return element("a", source, href=SOURCES[source], target="_blank", rel="noopener noreferrer")


def definitions_dialog() -> Markup:
    """Return the dialogue with every definition."""
    close = element("button", "Close", type="button", class_="sh-close", data_close="sh-definitions")
    title = element("h2", "What the numbers mean", id="sh-definitions-title")
    head = element("div", title, close, class_="sh-bar-head")
    entries = [_entry(name, definition) for name, definition in DEFINITIONS.items()]
    body = element("dl", *entries, class_="sh-definitions")
    named = {"id": "sh-definitions", "aria_labelledby": "sh-definitions-title"}
    return element("dialog", head, body, class_="sh-dialog", **named)


def _entry(name: str, definition: Definition) -> Markup:
    formula = element("code", definition.formula) if definition.formula else None
    source = element("span", source_link(definition.source) if definition.source else "our choice", class_="sh-source")
    text = element("dd", definition.text, " ", formula, " ", source)
    return element("div", join(element("dt", definition.title), text), id=f"sh-def-{name}", tabindex="-1")

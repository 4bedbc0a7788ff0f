"""What the cards say in words, by route; numbers come from :mod:`spinehub.cards.rendering`."""

from dataclasses import dataclass

__all__ = [
    "FIGURES_IN_WORDS",
    "FIRST_SENTENCE",
    "REGIMES_IN_WORDS",
    "ROUTE_OF_KIND",
    "ROUTE_WORDS",
    "TEMPLATE",
    "UNSCORED",
    "RouteWords",
]

FIRST_SENTENCE = "**Trained on simulated cases. Accuracy on real patients: unknown. Not for clinical use.**"

ROUTE_OF_KIND = {
    "hotspot-rule": "hotspot",
    "radiomics-linear": "radiomics",
    "lesion-segmenter": "unet",
    "lesion-classifier": "inception_resnet",
}
"""Which route a kind of model serves."""


@dataclass(frozen=True)
class RouteWords:
    """What differs between the cards of the routes.

    Parameters
    ----------
    title, summary
        Headline and one paragraph on the model.
    library, pipeline, tags
        Hub metadata.
    stock
        How stock tools load the folder that ``save_pretrained("DIR")`` writes, Markdown.
    """

    title: str
    summary: str
    library: str
    pipeline: str
    tags: tuple[str, ...]
    stock: str


_EMBEDDING = (
    "One safetensors file: with `x` the activations, "
    "`score = intercept + sum(coefficients * (x - mean) / scale)`; intercepts and calibration stand in its metadata."
)

ROUTE_WORDS = {
    "hotspot": RouteWords(
        "Two-parameter rule",
        "A decision tree of at most three questions on two numbers of the lesion's hot spot: early enhancement (signal "
        "45 s after contrast arrival, in % over baseline) and wash-out (change from 67 s to 240 s, in %). It needs a "
        "dynamic series whose sequence parameters are known and lie inside the range it was fitted on; otherwise it "
        "gives no answer.",
        "spinehub",
        "tabular-classification",
        ("decision-tree",),
        "`config.json` is the whole model: a list of nodes, each with a parameter, a threshold in % and two children. "
        "Any language can walk it; nothing is ever unpickled.",
    ),
    "radiomics": RouteWords(
        "Radiomics",
        "One elastic-net logistic regression per regime on pyradiomics features (shape, histogram, texture) of peak "
        "enhancement, early enhancement, wash-out and the peak frame inside the lesion. A feature that cannot be "
        "computed is never filled in: the model then gives no answer and names it.",
        "spinehub",
        "tabular-classification",
        ("radiomics", "pyradiomics", "logistic-regression"),
        "The probability needs no library but NumPy: with `x` the features named in `config.json`, in that order, "
        "`score = intercept + sum(coefficients * clip((x - mean) / scale, -3, 3))` with the arrays of "
        "`model.safetensors`, and "
        "`1 / (1 + exp(-(slope * score + intercept)))` with the calibration of the regime.",
    ),
    "unet": RouteWords(
        "Modified U-Net",
        "A U-Net on parametric maps, ten time frames and the region that grows from a click (0 everywhere without one) "
        "of each sagittal slice, with three output classes (background, metastasis, primary malignant). A small head "
        "beside it reads mean and spread of every stage in the region, its depth and its surroundings, and gives the "
        "lesion-level probability; the head's weights lie in `head.safetensors`.",
        "segmentation-models-pytorch",
        "image-segmentation",
        ("segmentation-models-pytorch", "unet"),
        '```python\nimport segmentation_models_pytorch as smp\n\nnetwork = smp.from_pretrained("DIR")\n```\n\n'
        "gives the same logits; inputs must be made as `_spinehub` in `config.json` says, the region last.",
    ),
    "inception_resnet": RouteWords(
        "Inception-ResNet-v2",
        "timm's Inception-ResNet-v2 on the lesion crop: parametric maps, ten time frames and the mask. A small head "
        "beside it reads mean and spread of every stage of all slices in the region, its depth and its surroundings, "
        "and gives the lesion-level probability; its weights lie in `head.safetensors`, those that pool the slices for "
        "the network's own last layer in `pooling.safetensors`.",
        "timm",
        "image-classification",
        ("timm", "inception-resnet-v2"),
        '```python\nimport timm\n\nnetwork = timm.create_model("local-dir:DIR", pretrained=True)\n```\n\n'
        "gives the same logits per slice; inputs must be made as `spinehub` in `config.json` says.",
    ),
    "stacked": RouteWords(
        "Stacked routes",
        "A logistic regression on the probabilities of the other routes.",
        "spinehub",
        "tabular-classification",
        ("stacking",),
        "`config.json` holds the coefficients.",
    ),
    "unet_embedding": RouteWords(
        "Activations of the U-Net + logistic regression",
        "A ridge logistic regression on `embed()` of the U-Net: its deepest activations, averaged over the lesion's "
        "slices.",
        "spinehub",
        "tabular-classification",
        ("embedding", "logistic-regression"),
        _EMBEDDING,
    ),
    "inception_resnet_embedding": RouteWords(
        "Activations of Inception-ResNet-v2 + logistic regression",
        "A ridge logistic regression on `embed()` of Inception-ResNet-v2: the input of its last layer.",
        "spinehub",
        "tabular-classification",
        ("embedding", "logistic-regression"),
        _EMBEDDING,
    ),
}

REGIMES_IN_WORDS = {
    "dynamic": "dynamic (timed series)",
    "pre_post": "pre and post contrast, no times",
    "single": "one volume",
}
FIGURES_IN_WORDS = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "brier": "Brier score",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
    "undecided_share": "undecided",
    "coverage": "coverage of the sets",
    "dice": "Dice",
    "iou": "IoU",
    "pixel_accuracy": "pixel accuracy",
    "empty_mask_pixel_accuracy": "pixel accuracy of an empty mask",
    "gap_closed": "share of the gap closed",
    "hd95_mm": "HD95 (mm)",
    "efficiency": "efficiency",
    "surface_distance_mm": "surface distance (mm)",
    "volume_error_ml": "volume error (ml, found minus true)",
    "mean_pixel_accuracy": "mean pixel accuracy of the classes",
    "mean_iou": "mean IoU of the classes",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "iou_background": "IoU, background",
    "iou_metastasis": "IoU, metastasis",
    "iou_primary_malignant": "IoU, primary malignant",
}

TEMPLATE = """---
{metadata}
---

# {title}: spinal metastasis or primary malignant bone tumour on contrast-enhanced MRI

{first}

{summary}

Part of [spinehub](#how-to-load), research and teaching software that re-enacts Wang et al., J Bone Oncol 2023;42:100498
(doi 10.1016/j.jbo.2023.100498) on simulated patients; it is not the authors' model, and its tables neither confirm nor
refute theirs.

## Intended use

- Teaching how lesions are judged on contrast-enhanced MRI, and showing the method to colleagues.
- A starting point for groups that train and evaluate on their own labelled cohort.
- Comparing routes side by side under one simulator.

## Out of scope

- Any clinical decision: nothing here may be used to choose, delay or omit biopsy, referral or treatment. A missed
  chordoma or sarcoma may be biopsied or operated on in a way that prevents cure.
- **Myeloma, plasmacytoma and lymphoma belong to neither class**, nor do benign lesions, fractures and infections. The
  model assumes that the lesion is one of its two: `metastasis` (carcinoma metastasis in the spine) or
  `primary_malignant` (chordoma, chondrosarcoma, osteosarcoma, Ewing sarcoma).
- MRI without contrast, other regions of the body, children.

## Results on simulated cases

{cohort}

{results}

Intervals are 95 % bootstrap intervals over patients. The positive class is `primary_malignant`; probabilities are for
equal priors and cut at 0.5 for accuracy, sensitivity and specificity, over the cases with an answer. *End to end*: the
region grew from one simulated click at the automatic tolerance. *True mask*: the simulator's own.
{mask_note}
{baselines}

## Limits

- Everything was learned from one simulator. Its strength of difference between the classes was chosen, not found, so
  these scores say how well the model recovers the simulator's labels, not how well it would do on patients.
- The kinetics of primary tumours have not been published; the simulator's are assumed.
- Enhancement in % depends on T1, repetition time and flip angle. Inputs unlike the training cases are named by checks
  before any number is shown; the checks cannot name everything.
- Agreement with the other routes is no independent evidence: all learned from the same simulator.

## How to load

```python
import spinehub

model = spinehub.from_pretrained("{model}")
```

`model.save_pretrained("DIR")` writes a folder for other tools.

{stock}

## Training

{training}

Evaluated with `{command}`.

## Files

{files}
"""

UNSCORED = """---
{metadata}
---

# {title}: spinal metastasis or primary malignant bone tumour on contrast-enhanced MRI

**Not evaluated: nothing is known about its accuracy. Not for clinical use.**

{summary}

Part of spinehub, research and teaching software. `spinehub evaluate` scores it on cases it was not trained on, and
`spinehub publish` then sends it again with a full card.

## How to load

```python
import spinehub

model = spinehub.from_pretrained("{model}")
```

{stock}

## Files

{files}
"""

"""What the networks see: sagittal slices at a fixed in-plane spacing, channels of maps and frames.

:class:`PreprocessingSpec` travels in the configuration of every network and is the only way inputs are made, in
training, in evaluation and on the page.
"""

from spinehub.inputs.regimes import reduce_regime
from spinehub.inputs.spec import PreprocessingSpec
from spinehub.inputs.stack import SliceStack, crop_box, make_stack, mask_slices

__all__ = ["PreprocessingSpec", "SliceStack", "crop_box", "make_stack", "mask_slices", "reduce_regime"]

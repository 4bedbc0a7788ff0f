"""Radiomics of one lesion: shape, and first order and texture of each image inside the mask. One row, fixed columns.

What is computed, and why so, stands in ``spinehub/radiomics_settings.yaml``.
"""

from spinehub.features.extraction import FeatureRow, extract_features
from spinehub.features.settings import feature_maps, feature_names, settings_sha256

__all__ = ["FeatureRow", "extract_features", "feature_maps", "feature_names", "settings_sha256"]

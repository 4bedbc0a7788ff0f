"""A case in one zip file: clicks, settings, versions, hashes and outputs, and the replay that checks them elsewhere."""

from spinehub.bundle.archive import MAX_BYTES, Bundle, read_bundle
from spinehub.bundle.replaying import Replay, replay_bundle, replay_in_words
from spinehub.bundle.writing import BUNDLED_FILES, write_bundle

__all__ = [
    "BUNDLED_FILES",
    "MAX_BYTES",
    "Bundle",
    "Replay",
    "read_bundle",
    "replay_bundle",
    "replay_in_words",
    "write_bundle",
]

"""Models and the page on the Hugging Face Hub: publish them, list and check what is installed, carry it elsewhere."""

from spinehub.hub.catalog import describe_models, download_models, list_models, verify_models
from spinehub.hub.publishing import publish
from spinehub.hub.space import publish_space

__all__ = ["describe_models", "download_models", "list_models", "publish", "publish_space", "verify_models"]

"""Configs: a Hugging Face config.json → the tensors of its model, by transformers itself."""

from xavinit.configs.config import Config, Settings, is_config, load_config, load_settings
from xavinit.configs.models import Twin, make_model, make_twin

__all__ = [
    "Config",
    "Settings",
    "Twin",
    "is_config",
    "load_config",
    "load_settings",
    "make_model",
    "make_twin",
]

"""Configs: a Hugging Face config.json → the tensors of its model, by transformers itself."""

from xavinit.configs.config import Config, is_config, list_sizes, load_config
from xavinit.configs.models import Twin, make_model, make_twin

__all__ = ["Config", "Twin", "is_config", "list_sizes", "load_config", "make_model", "make_twin"]

"""Object stores: s3://, gs:// and az://, where weights are written and read without a disk."""

from xavinit.stores.store import Found, Store, Upload
from xavinit.stores.urls import Url, is_url, parse_url

__all__ = ["Found", "Store", "Upload", "Url", "is_url", "parse_url"]

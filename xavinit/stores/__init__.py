"""Object stores: s3://, gs:// and az://, where weights are written and read without a disk."""

from xavinit.stores.opening import open_store
from xavinit.stores.remote_file import RemoteFile
from xavinit.stores.store import Found, Store, Upload
from xavinit.stores.urls import Url, is_url, parse_url

__all__ = ["Found", "RemoteFile", "Store", "Upload", "Url", "is_url", "open_store", "parse_url"]

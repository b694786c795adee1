"""Media before they are paid for: what is wrong with them, and how to make them as the vendor recommends."""

from adjudge_plugins.aliyun.media.finding import Examined, MediaFinding
from adjudge_plugins.aliyun.media.preflight import examine, prepare

__all__ = ["Examined", "MediaFinding", "examine", "prepare"]

"""The vendor on this machine: the same wire, the same signatures, answers from a scenario."""

from adjudge_plugins.aliyun.sandbox.reaction import Reaction
from adjudge_plugins.aliyun.sandbox.scenario import Scenario, load_scenario, read_scenario
from adjudge_plugins.aliyun.sandbox.service import Sandbox

__all__ = ["Reaction", "Sandbox", "Scenario", "load_scenario", "read_scenario"]

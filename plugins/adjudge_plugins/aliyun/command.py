"""The command `adjudge sandbox`."""

from __future__ import annotations

import threading
from dataclasses import replace

import click


@click.command("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), default=8089, show_default=True, help="0 takes a free one.")
@click.option(
    "--scenario", "scenario_path", type=click.Path(dir_okay=False), help="What it answers: a YAML or JSON file."
)
@click.option(
    "--switch", "settings", multiple=True, metavar="NAME=VALUE", help="How to read an open question; before the file."
)
def sandbox(port: int, scenario_path: str | None, settings: tuple[str, ...]) -> None:
    """Run the vendor's deepfake detection on this machine, without an account.

    Keys: adjudge-sandbox / adjudge-sandbox-secret. Counts of calls stand at /_sandbox/stats. Ends with Ctrl-C.
    """
    from adjudge_plugins.aliyun.sandbox import Sandbox
    from adjudge_plugins.aliyun.sandbox.scenario import Scenario, ScenarioError, load_scenario
    from adjudge_plugins.aliyun.sandbox.switches import SwitchError, turn_all

    try:
        scenario = load_scenario(scenario_path) if scenario_path else Scenario()
        running = Sandbox(port=port, scenario=replace(scenario, switches=turn_all(scenario.switches, settings)))
    except SwitchError as error:
        raise click.BadParameter(str(error), param_hint="--switch") from None
    except ScenarioError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}") from None
    with running:
        # one line, at once: whoever started it as a child waits for the port
        print(f"listening on {running.url}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass

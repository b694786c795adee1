"""What `deploy/` says is true of this version: files are there, settings load, nothing runs with more than it needs."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging_tools import ROOT

from adjudge.config.file import read_config, require_sound
from adjudge.service.server import DRAINED_WITHIN_S

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "adjudge"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
HELM = shutil.which("helm")


def configuration(text: str, folder: Path) -> None:
    """Load a configuration with its paths led into a folder."""
    (folder / "policies").mkdir(exist_ok=True)
    for policy in (DEPLOY / "compose" / "policies").iterdir():
        (folder / "policies" / policy.name).write_text(policy.read_text())
    text = re.sub(r"/(?:run/secrets|etc/adjudge(?:/[a-z]+)?)/([a-z.]+)", rf"{folder}/\1", text)
    text = text.replace("/etc/adjudge/policies/", f"{folder}/policies/")
    for name in ("dsn", "fingerprint_key", "fingerprint.key", "audit_key", "audit.key"):
        (folder / name).write_text("postgresql://adjudge@127.0.0.1/adjudge")
    (folder / "adjudge.yaml").write_text(text)
    require_sound(read_config(folder / "adjudge.yaml"))


def test_image_runs_without_privileges_and_copies_what_is_there() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(stages) == 2 and all("/" not in stage for stage in stages), "images without the name of a host"
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE) and "/opt/build" not in last
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    for lock in re.findall(r"-r (requirements/\S+)", text):
        content = (ROOT / lock).read_text()
        assert "--hash=sha256:" in content and "://" not in content
    assert "--require-hashes" in text


def test_workers_of_compose_may_write_nothing_but_their_folder(tmp_path: Path) -> None:
    said = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    for name in ("migrate", "adjudge"):
        service = said["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert set(service["secrets"]) <= said["secrets"].keys(), name
    assert all(port.startswith("127.0.0.1:") for port in said["services"]["adjudge"]["ports"])
    mounted = [volume.split(":")[0] for volume in said["services"]["adjudge"]["volumes"]]
    assert all((DEPLOY / "compose" / path).exists() for path in mounted)
    secrets = {f"/run/secrets/{name}" for name in said["services"]["adjudge"]["secrets"]}
    text = (DEPLOY / "compose" / "adjudge.yaml").read_text()
    assert set(re.findall(r"/run/secrets/[a-z_]+", text)) <= secrets
    configuration(text, tmp_path)


def test_secrets_stand_in_no_command_line_and_in_no_commit() -> None:
    """A command line is for everybody on the machine to read."""
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    job = (CHART / "templates" / "migrate.yaml").read_text()
    (command,) = re.findall(r"command: (\[.+\])", job)
    for words in (compose["services"]["migrate"]["entrypoint"], yaml.safe_load(command)):
        assert re.fullmatch(r'ADJUDGE_DSN="\$+\(cat [a-z/]+\)" exec adjudge postgres migrate', words[-1]), words
    for ignored in (".gitignore", ".dockerignore"):
        assert "deploy/compose/secrets" in (ROOT / ignored).read_text().replace("/deploy", "deploy").replace(
            "secrets/", "secrets"
        )


def test_monitor_finds_pods_where_they_listen() -> None:
    """By their addresses, which no certificate and no list of hosts names, and under the job that alerts ask for."""
    monitor = (CHART / "templates" / "service.yaml").read_text().partition("kind: ServiceMonitor")[2]
    assert "jobLabel: app.kubernetes.io/name" in monitor and "scheme: https" in monitor and "serverName:" in monitor
    assert 'job="adjudge"' in (DEPLOY / "prometheus" / "alerts.yaml").read_text()
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["name"] == "adjudge"
    assert 'append $hosts "*"' in (CHART / "templates" / "_helpers.tpl").read_text()


def test_pods_have_time_to_end() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert int(values["notice"].removesuffix("s")) + DRAINED_WITHIN_S < values["drainSeconds"]
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    assert int(compose["services"]["adjudge"]["stop_grace_period"].removesuffix("s")) > DRAINED_WITHIN_S


def test_unit_starts_the_service_with_less_than_a_login_has(tmp_path: Path) -> None:
    path = DEPLOY / "systemd" / "adjudge.service"
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of settings have capitals
    unit.read(path)
    service = dict(unit["Service"])
    assert service["ExecStart"].split()[1:3] == ["serve", "/etc/adjudge/adjudge.yaml"]
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed: the unit was read, and not verified")
    copy = tmp_path / "adjudge.service"
    copy.write_text(path.read_text().replace("/opt/adjudge/bin/adjudge serve", "/bin/true serve"))
    found = subprocess.run([analyze, "verify", copy], capture_output=True, text=True)
    assert "adjudge.service" not in found.stderr.replace(str(copy), "adjudge.service: ") or not found.returncode


def test_values_of_the_chart_are_those_of_its_schema() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    check = jsonschema.Draft7Validator(schema)
    check.validate(values)
    assert set(schema["properties"]) - {"global"} == set(values), "each value has its default, and no other is known"
    for wrong in ({"replicas": 3}, {"replcas": 1}, {"storage": {"size": "20 GB"}}, {"keys": {}}):
        assert not check.is_valid({**values, **wrong}), wrong
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == VERSION


def test_templates_use_only_values_that_there_are() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for template in (CHART / "templates").iterdir():
        for used in re.findall(r"\.Values((?:\.[A-Za-z]+)+)", template.read_text()):
            at: Any = values
            for part in used.strip(".").split("."):
                assert isinstance(at, dict) and part in at, f"{template.name}: .Values{used}"
                at = at[part]


@pytest.mark.skipif(
    HELM is None, reason="helm is not installed: the chart's schema was checked, its templates were not"
)
@pytest.mark.parametrize(
    "more", [(), ("postgres.enabled=true", "replicas=3", "tls.secret=t", "serviceMonitor.enabled=true")]
)
def test_chart_renders_to_pods_that_load(more: tuple[str, ...], tmp_path: Path) -> None:
    assert HELM is not None
    command = [HELM, "template", "risk", CHART, *(part for one in more for part in ("--set", one))]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}
    (pod,) = [
        one["spec"]["template"]["spec"] for (kind, _), one in found.items() if kind in ("Deployment", "StatefulSet")
    ]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {one["name"] for one in container["volumeMounts"]} <= {one["name"] for one in pod["volumes"]} | {"data"}
    configuration(found["ConfigMap", "risk-adjudge"]["data"]["adjudge.yaml"], tmp_path)
    assert subprocess.run([HELM, "lint", CHART], capture_output=True).returncode == 0

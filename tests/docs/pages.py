"""A page of documentation, and what its fenced blocks do when somebody follows it from top to bottom.

| block | what happens to it |
|---|---|
| any with `title="name"` | is a file in the page's own folder, from the beginning |
| `python` | is executed; blocks of a page share their names |
| `output` | is what the python block before it printed |
| `yaml` that begins with `policy_language:` | loads as a policy, with the plugins that are installed |
| `yaml`, titled `…_test.yaml` | is read as tests of a policy, and they pass |
| `yaml` that begins with `policies:` | is read as an engine's configuration |
| `yaml` that begins with `default:` | is read as what a sandbox answers |
| `yaml broken` | does not load |
| `yaml` with `fragment:` | is read by the policies that include it |
| `yaml`, any other | is part of a policy: loads with the declarations of the page's first policy |
| `toml`, titled `pyproject.toml` | is installed: the page's folder becomes a distribution with its entry points |
| `json` | is read; as a request if it has a MerchantBizId |
| `console` | its commands are run, and print what stands below them |
| `sh` | is not run; its commands are known |

In a console block a line `…` stands for any lines; a command that ends with `&` goes on while the page lasts.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adjudge import PolicyErrors, load_policy, parse_policy
from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.testing import run
from adjudge.config.file import read_config
from adjudge.documents import decode_request
from adjudge.policy.loading.document import DECLARATIONS
from adjudge.policy.loading.folder import is_test_file
from adjudge.registry import Registry
from adjudge_plugins.aliyun.sandbox.scenario import load_scenario
from ports import reserved_port

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PORT = "8089"
"""The port that pages name; one that is reserved for the page takes its place."""

SAME = (
    (r"\b[0-9a-f]{64}\b", "<SHA-256>"),
    (r"\b[0-9a-f]{16}…", "<SHA-256>…"),
    (r"\b[0-9a-f]{32}\b", "<id>"),
    (r"(?m)(?<=with )[0-9a-f]{16}$", "<key>"),
    (r"(?m)^(key )?[0-9a-f]{16} ", r"\1<key> "),
    (r"\b[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\b", "<request id>"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"(?m)^(  policy +\S+) [0-9a-f]{12}$", r"\1 <digest>"),
    (r"(?m)^\d\d:\d\d:\d\d (?=\[)", "<time> "),
    (r"\b\d+(\.\d+)? ms\b", "<ms> ms"),
    (r'"duration_ms":( ?)\d+\.\d+', r'"duration_ms":\g<1><ms>'),
)
"""What is another at each run, and so is not compared."""

SHELL = re.compile(
    r"git clone \S+|cd \S+|pip install (-e )?\.(\[\w+\])?|pip install \./examples/\w+|make \w+"
    r"|export ALIBABA_CLOUD_ACCESS_KEY_(ID|SECRET)=…|unset ADJUDGE_ALIYUN_ENDPOINT"
    r"|adjudge postgres (migrate|status|archive) postgresql://\S+.*"
    r"|adjudge (audit verify|replay) chains/\S+( --archive \S+)?"
    r"|adjudge .*postgresql://auditor@db\.internal/adjudge.*"  # run in tests/cli/test_cli_postgres.py
)
MAKE = {"make demo": ("\t@$(BIN)/adjudge demo $(ARGS)", "adjudge demo")}
"""What a target of the Makefile runs: its recipe, and the same here."""

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_SECTION = re.compile(r"^(?=[a-z_]+:)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block. start, line: where its text begins in the page."""

    language: str
    title: str | None
    is_broken: bool
    text: str
    start: int
    line: int


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    for found in _FENCE.finditer(text):
        title = _TITLE.search(found[2])
        yield Block(
            language=found[1],
            title=title and title[1],
            is_broken="broken" in found[2].split(),
            text=found[3],
            start=found.start(3),
            line=text.count("\n", 0, found.start(3)) + 1,
        )


def normal(text: str) -> str:
    """Return a text without what is another at each run."""
    for pattern, stand_in in SAME:
        text = re.sub(pattern, stand_in, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))


def shows(expected: str, actual: str) -> bool:
    """Whether a page shows what came; its line `…` stands for any lines."""
    lines = (r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line) + r"\n" for line in normal(expected).split("\n"))
    return re.fullmatch("".join(lines), normal(actual) + "\n") is not None


@dataclass(slots=True)
class Page:
    """A page being followed, in a folder of its own. env: of its commands."""

    path: Path
    folder: Path
    env: dict[str, str]
    namespace: dict[str, object] = field(default_factory=lambda: {"__name__": "page"})
    declarations: dict[str, str] | None = None
    printed: str = ""
    status: int = 0
    background: list[subprocess.Popen[str]] = field(default_factory=list)
    resources: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    port: str = ""

    @classmethod
    def open(cls, path: Path, folder: Path) -> Page:
        """Lay out the folder: the checkout's policies and examples stand in it."""
        for name in ("policies", "examples"):
            shutil.copytree(ROOT / name, folder / name)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ADJUDGE_", "ALIBABA_"))}
        tools = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        search = os.pathsep.join([str(folder), *filter(None, [env.get("PYTHONPATH")])])
        env |= {"PATH": tools, "PYTHONPATH": search, "TZ": "UTC", "COLUMNS": "100", "NO_COLOR": "1"}
        page = cls(path, folder, env)
        page.port = str(page.resources.enter_context(reserved_port()))
        return page

    def close(self) -> None:
        """End what still runs."""
        for process in self.background:
            process.terminate()
            process.communicate()
        self.resources.close()

    def lay_out(self, page: Iterable[Block]) -> None:
        """Write the files that the page shows."""
        for block in page:
            if block.title is not None:
                file = self.folder / block.title
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text, "utf-8")

    def follow(self, block: Block) -> str:
        """Do what a block says, and return its text as it should be; raises where it is wrong."""
        if block.language != "output":
            assert not self.printed, f"this was printed, and the page does not show it:\n{self.printed}"
        match block.language:
            case "python":
                self.python(block)
            case "output":
                printed, self.printed = self.printed, ""
                return block.text if shows(block.text, printed) else printed
            case "yaml":
                self.yaml(block)
            case "json":
                document = json.loads(block.text)
                if "merchant_biz_id" in document:
                    decode_request(block.text.encode(), folder=self.folder)
            case "toml":
                self.install(tomllib.loads(block.text))
            case "console":
                return "".join(self.command(line, text) for line, text in _commands(block.text))
            case "sh":
                for line in block.text.splitlines():
                    assert SHELL.fullmatch(line.partition("  #")[0].strip()), f"nobody checks `{line}`"
            case _:
                assert block.title, f"nobody checks a block of `{block.language}` that is no file"
        return block.text

    def python(self, block: Block) -> None:
        """Execute a block; a traceback names the page and its line."""
        said = io.StringIO()
        if block.title is None:
            code = compile("\n" * (block.line - 1) + block.text, str(self.path), "exec")
            with contextlib.redirect_stdout(said):
                exec(code, self.namespace)
        self.printed = said.getvalue()

    def yaml(self, block: Block) -> None:
        """Load a block as what it is."""
        if block.is_broken:
            try:
                parse_policy(block.text, folder=self.folder)
            except PolicyErrors:
                return
            raise AssertionError("this is said to be broken, and it loads")
        file = self.folder / (block.title or "untitled.yaml")
        if is_test_file(file):
            ran = run(read_tests(file, Registry.discover().catalogue()))
            failed = [result.render() for result in ran if not result.passed]
            assert not failed, "\n".join(failed)
        elif block.text.startswith("default:"):
            load_scenario(file)
        elif block.text.startswith("policies:"):
            file.write_text(block.text, "utf-8")
            read_config(file)
        elif "\nfragment: " in block.text:
            pass
        elif block.text.startswith("policy_language:"):
            load_policy(file) if block.title else parse_policy(block.text, folder=self.folder)
            if self.declarations is None:
                sections = _sections(block.text)
                self.declarations = {
                    key: sections[key] for key in sections if key in (*DECLARATIONS, "policy_language", "policy")
                }
        else:
            assert self.declarations is not None, "a part of a policy needs a whole one before it"
            parse_policy("".join((self.declarations | _sections(block.text)).values()), folder=self.folder)

    def install(self, project: Mapping[str, object]) -> None:
        """Make the page's folder a distribution, as `pip install` leaves one."""
        about: Mapping[str, object] = project["project"]  # type: ignore[assignment]
        made = self.folder / f"{str(about['name']).replace('-', '_')}-{about['version']}.dist-info"
        made.mkdir()
        (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
        points: Mapping[str, Mapping[str, str]] = about["entry-points"]  # type: ignore[assignment]
        lines = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in of.items())
            for group, of in points.items()
        ]
        (made / "entry_points.txt").write_text("".join(lines))

    def command(self, command: str, expected: str) -> str:
        """Run a command, and return it with what it prints, as the page has that where it is the same."""
        shown = command
        if command in MAKE:
            recipe, command = MAKE[command]
            assert recipe in (ROOT / "Makefile").read_text().splitlines()
        command = command.replace(PORT, self.port)
        if set_ := re.fullmatch(r"export (\w+)=(\S+)", command):
            self.env[set_[1]] = set_[2]
            printed = ""
        elif command.endswith(" &"):
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command[:-2]}"], cwd=self.folder, env=self.env, stdout=subprocess.PIPE, text=True
            )
            self.background.append(process)
            assert process.stdout is not None
            printed = process.stdout.readline()
        else:
            done = subprocess.run(
                ["bash", "-c", f"(exit {self.status}); {command}"],
                cwd=self.folder,
                env=self.env,
                text=True,
                timeout=300,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self.status, printed = done.returncode, done.stdout
        assert "Traceback (most recent call last)" not in printed, printed
        printed = re.sub(rf"(?<=:){self.port}\b", PORT, printed)  # and not where a hash happens to have its digits
        printed = printed.replace(str(self.folder), ".")
        return f"$ {shown}\n" + (expected if shows(expected, printed) else printed)


def _commands(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"(?m)^\$ ", text)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def _sections(text: str) -> dict[str, str]:
    """Return the parts of a policy's text by their keys, in order."""
    return {part.partition(":")[0]: part for part in _SECTION.split(text) if part.strip()}

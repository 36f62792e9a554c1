"""The workflows are valid, safe and agree with what the README tells people to run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"uses: ([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")


def tool(name: str, *arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [Path(sys.executable).with_name(name), *arguments], capture_output=True, text=True, cwd=ROOT
    )
    return done.returncode, done.stdout + done.stderr


def used_actions(text: str) -> list[str]:
    return re.findall(r"^ +(?:- )?(uses: .*)$", text, re.MULTILINE)


def test_actionlint_is_content():
    code, output = tool("actionlint", "-no-color", *WORKFLOWS)
    assert code == 0, output


def test_zizmor_is_content():
    # Pedantic too. A finding that is accepted gets `# zizmor: ignore[rule] reason` on its line.
    options = ["--offline", "--pedantic", "--strict-collection", "--no-progress"]
    code, output = tool("zizmor", *options, ".")
    assert code == 0, output


def test_accepted_findings_have_a_reason():
    for path in WORKFLOWS:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "zizmor: ignore" in line:
                assert re.search(r"ignore\[[\w,-]+\] \w+", line), f"{path.name}: say why: {line.strip()}"
    assert not list((ROOT / ".github").glob("zizmor.y*ml")), "explain findings where they are, not in a file"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_name_their_version(path: Path):
    for line in used_actions(path.read_text(encoding="utf-8")):
        assert PINNED.match(line), f"{path.name}: write owner/action@<40 hex digits> # v1.2.3, not {line!r}"


def test_an_action_has_one_version():
    pins = {}
    for path in WORKFLOWS:
        for line in used_actions(path.read_text(encoding="utf-8")):
            action, commit, version = PINNED.match(line).groups()
            assert pins.setdefault(action, (commit, version)) == (commit, version), f"{path.name}: {action}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_jobs_have_few_rights_and_an_end(path: Path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}, f"{path.name}: permissions are given job by job"
    assert "concurrency" in workflow
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job, f"{path.name}: {name} needs timeout-minutes"
        rights = {right for right, level in job["permissions"].items() if level == "write"}
        assert rights == ({"pages", "id-token"} if name == "publish" else set()), f"{path.name}: {name}"
        for step in job["steps"]:
            if "actions/checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, f"{path.name}: {name}"


def test_what_ci_runs_is_what_the_readme_says():
    assert re.search(r"^make test$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("make book", "make test"):
        assert re.search(rf"^{command}\b", readme, re.MULTILINE), f"README.md: {command} is not a line there"


def test_commands_of_readme_workflows_and_contributing_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", ".github/workflows/ci.yml", ".github/workflows/weekly.yml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`|run: |^ +)make ([a-z]+)", text, re.MULTILINE))
        assert named <= targets, f"{name}: no such target: {sorted(named - targets)}"

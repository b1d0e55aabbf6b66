#!/usr/bin/env python3
"""Capture what the questions show, from running clusters: drills/artifacts/recipe.yaml says what and where.

Writes drills/artifacts/*.txt: the command in the first line, then what it showed. With --check it writes nothing and
compares instead, as a test does: what chance decides (addresses, hashes, times, counters) is evened out in both.

    scripts/capture_artifacts.py                  all of them
    scripts/capture_artifacts.py --only nft       those of one cluster
    scripts/capture_artifacts.py --check
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from podwalk.api import clusterconfig
from podwalk.backends.base import Cluster, Completed
from podwalk.backends.embedded import EmbeddedBackend
from podwalk.proxy.names import endpoint_chain, service_hash

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "drills" / "artifacts"
PATIENCE = 30.0

# In what was captured twice, these differ by chance. Each is evened out by the order in which its values appear.
_CHANCE: tuple[tuple[str, str], ...] = (
    (r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC"),
    (r"\bKUBE-(?:SEP|SVC|EXT|SVL)-[A-Z2-7]{16}\b", "CHAIN"),
    # Not the addresses .0 and .1, which belong to tunnels and bridges.
    (r"\b10\.244\.\d+\.(?:[2-9]|\d{2,3})\b", "POD"),
    (r"\b(?:veth|cali)[0-9a-f]+\b", "CABLE"),
    (r"\bif\d+\b", "INDEX"),
    (r"(?<=[0-9>]:)\d{4,5}$", "PORT"),
    (r"(?<=sport=)\d+|(?<=dport=)\d{5}\b", "PORT"),
    (r"(?<=\.)\d{5}(?= >)", "PORT"),
    (r"(?<=nobody-)[a-z0-9]{5}\b", "SUFFIX"),
    (r"(?<=seq )\d+|(?<=TS val )\d+|(?<=id: )\d+", "NUMBER"),
)


def recipe() -> list[dict[str, Any]]:
    """The clusters and what is captured on each."""
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / "recipe.yaml").read_text())["clusters"]
    return found


def even(text: str) -> str:
    """A captured text without what chance decides."""
    for pattern, word in _CHANCE:
        seen: dict[str, str] = {}

        def named(match: re.Match[str], seen: dict[str, str] = seen, word: str = word) -> str:
            return seen.setdefault(match[0], f"<{word} {len(seen) + 1}>")

        text = re.sub(pattern, named, text, flags=re.MULTILINE)
    # Widths of columns, counters, ages, how long it took.
    text = re.sub(r"\b\d+(\.\d+)?( ?ms|s| milliseconds)\b", "<time>", text)
    text = re.sub(r"(tcp +\d+) \d+ ", r"\1 <timeout> ", text)
    text = re.sub(r"^\d+: eth0", "<INDEX>: eth0", text, flags=re.MULTILINE)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def capture(entry: dict[str, Any]) -> dict[str, str]:
    """Boot one cluster of the recipe and capture everything it is for: file name -> text. Raises SystemExit."""
    config = clusterconfig.default(entry["name"]).with_options(entry["options"])
    cluster = EmbeddedBackend().up(config, progress=lambda fact: None)
    try:
        values = _shop(cluster, entry["name"])
        return {item["file"]: _one(cluster, entry["name"], item, values) for item in entry["captures"]}
    finally:
        cluster.down()


def _shop(cluster: Cluster, name: str) -> dict[str, str]:
    """Put the shop into the cluster, Pod by Pod, and wait for the rules; what the recipe may refer to."""
    documents = list(yaml.safe_load_all((FOLDER / "shop.yaml").read_text().replace("${cluster}", name)))
    for obj in documents:
        _must(cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(obj)))
        if obj["kind"] == "Pod":
            _must(cluster.kubectl("wait", "-n", "shop", f"pod/{obj['metadata']['name']}", "--for=condition=Ready"))
    pods = {o["metadata"]["name"]: _address(cluster, o["metadata"]["name"]) for o in documents if o["kind"] == "Pod"}
    nodes = {n.name.removeprefix(f"{name}-"): n.address for n in cluster.status().nodes}
    values = {k.replace("-", "_"): v for k, v in {**pods, **nodes}.items()}
    values["chain_web"] = service_hash("shop/web", "tcp")
    values["leg_solo"] = endpoint_chain("shop/solo", "tcp", f"{pods['web-1']}:8080").rpartition("-")[2]
    _await_ways(cluster, name, documents, values)
    return values


def _await_ways(cluster: Cluster, name: str, documents: list[dict[str, Any]], values: dict[str, str]) -> None:
    """Wait until each Service that selects a Pod is served on both workers, by name too, and the workers are routed."""
    labels = [o["metadata"]["labels"].items() for o in documents if o["kind"] == "Pod"]
    found = [o["spec"] for o in documents if o["kind"] == "Service"]
    found = [s for s in found if any(s["selector"].items() <= one for one in labels)]
    probes = [f"curl -sm1 http://{s['clusterIP']}/hostname" for s in found if s["clusterIP"] != "None"]
    probes.append(f"curl -sm1 http://{values['web_2']}:8080/hostname")
    for place in ("pod/client", "worker2"):
        for probe in probes:
            _until(lambda at=place, run=probe: "web-" in _run(cluster, name, at, run).stdout, f"{probe} on {place}")
    each = {values[pod] for pod in ("web_1", "web_2", "web_3")}
    lookup = "getent ahostsv4 web-each"
    _until(lambda: each <= set(_run(cluster, name, "pod/client", lookup).stdout.split()), lookup)


def _address(cluster: Cluster, pod: str) -> str:
    return _must(cluster.kubectl("get", "pod", "-n", "shop", pod, "-o", "jsonpath={.status.podIP}")).stdout


def _one(cluster: Cluster, name: str, item: dict[str, Any], values: dict[str, str]) -> str:
    try:
        for step in item.get("before", ()):
            _step(cluster, name, step, values)
        command = _fill(item["run"], values)
        if "until_fails" in item:
            probe = _fill(item["until_fails"], values)
            _until(lambda: not _run(cluster, name, item["at"], probe).ok, item["file"])
        done = _run(cluster, name, item["at"], command)
    finally:
        for step in item.get("after", ()):
            _step(cluster, name, step, values)
    lines = (done.stdout + done.stderr).strip("\n").splitlines()
    if "keep" in item:
        lines = [line for line in lines if any(re.search(p, line) for p in item["keep"])]
    if "sort" in item:
        lines.sort(key=lambda line: _sort_key(item["sort"], line))
    if not lines:
        raise SystemExit(f"{item['file']}: `{command}` on {item['at']} showed nothing; mend the recipe")
    return "\n".join([f"$ {_shown(item['at'], command)}", *(line.rstrip() for line in lines)]) + "\n"


def _sort_key(by: str, line: str) -> str:
    """The part of a line that a pattern finds, by which lines are sorted; the pattern .* takes all of it."""
    found = re.search(by, line)
    return found[0] if found else ""


def _step(cluster: Cluster, name: str, step: dict[str, Any], values: dict[str, str]) -> None:
    if "apply" in step:
        _must(cluster.kubectl("apply", "-f", "-", input=_fill(step["apply"], values)))
    else:
        _run(cluster, name, step["at"], _fill(step["run"], values))


def _run(cluster: Cluster, name: str, where: str, command: str) -> Completed:
    if where == "kubectl":
        return cluster.kubectl(*command.split())
    if where == "outside":
        return cluster.outside(["sh", "-c", command], timeout=PATIENCE)
    if where.startswith("pod/"):
        return cluster.kubectl("exec", "-n", "shop", where.removeprefix("pod/"), "--", "sh", "-c", command)
    return cluster.node(f"{name}-{where}", ["sh", "-c", command], timeout=PATIENCE)


def _shown(where: str, command: str) -> str:
    """The command as a reader would type it."""
    if where == "kubectl":
        return f"kubectl {command}"
    if where == "outside":
        return f"{command}     # outside the cluster"
    if where.startswith("pod/"):
        pod = where.removeprefix("pod/")
        plain = f"kubectl -n shop exec {pod} -- {command}"
        return plain if not re.search(r"[;|]", command) else f"{command}     # in the Pod {pod}"
    return f"{command}     # on the node {where}"


def _fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], text)


def _must(done: Completed) -> Completed:
    if not done.ok:
        raise SystemExit(f"capture_artifacts: {done.stderr.strip()}")
    return done


def _until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"capture_artifacts: {what} is not as the recipe expects after {PATIENCE:.0f} s")
        time.sleep(0.1)


def differences(name: str, text: str) -> str:
    """How a fresh capture differs from the kept one, evened out; nothing if it does not."""
    path = FOLDER / name
    kept = even(path.read_text()) if path.is_file() else ""
    lines = difflib.unified_diff(kept.splitlines(), even(text).splitlines(), str(path), "captured now", lineterm="")
    return "\n".join(lines)


def main() -> None:
    """Capture, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="CLUSTER", help="only the captures of this cluster")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    args = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as home:
        os.environ["PODWALK_HOME"] = home
        for entry in recipe():
            if args.only and entry["name"] != args.only:
                continue
            for name, text in capture(entry).items():
                found = differences(name, text)
                wrong += bool(found)
                if args.check and found:
                    print(found)
                elif not args.check and found:
                    (FOLDER / name).write_text(text)
                    print(f"wrote drills/artifacts/{name}")
    sys.exit(1 if args.check and wrong else 0)


if __name__ == "__main__":
    main()

"""What the host runner costs beside the bare floor: ``tar -x``, ``cp -a``, ``rm`` and ``sh`` for the same hooks."""

from __future__ import annotations

import base64
import compileall
import hashlib
import http.server
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from rich.table import Table
from samtranslator.yaml_helper import yaml_parse

from bench.cold_start import ROOT
from tidegate.model.deployment import IN_PLACE_EVENTS
from tidegate_runner import archive

RUNNER = ROOT / "layers" / "runner"
HOOKS = [event for event in IN_PLACE_EVENTS if event not in ("DownloadBundle", "Install")]
GROUP = "0a000000-0000-4000-8000-000000000001"
START = """import os, resource, sys
sys.path.insert(0, sys.argv[1])
from tidegate_runner.front import main
code = main(open(sys.argv[2], "rb").read())
os.wait()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Does what the document does once order and runner are there; the second line is the worker's peak in KiB."""
FLOOR = """set -e
for event in {before}; do sh {live}/../hook.sh; done
mkdir {work}; tar -xpsf {bundle} -C {work}
xargs -0 -r rm -f <{listing}; find {live} -mindepth 1 -depth -type d -empty -delete
sh {live}/../hook.sh
cp -a {work}/app/. {live}/
for event in AfterInstall ApplicationStart ValidateService; do sh {live}/../hook.sh; done
cd {live}; find . -type f -print0 >{listing}.new; mv {listing}.new {listing}
"""


@dataclass(frozen=True)
class Case:
    """A revision to deploy over one of the same size, and how much slower than the floor that may be."""

    name: str
    files: int
    size: int
    most: float


CASES = (Case("2,000 files of 10 KiB, tgz", 2_000, 10 * 1024, 1.3), Case("20 files of 2 MB, tgz", 20, 2_000_000, 1.6))
MOST_NO_OP_MS = 40.0
MOST_MEMORY_MIB = 40.0


def runner_costs(rounds: int = 7) -> dict[str, Any]:
    """Return seconds and ratio by case, milliseconds of a command that has nothing to do, and the peak memory."""
    with _workplace() as place:
        home = _installed(place)
        cases = {case.name: _measured(case, place / str(number), home, rounds) for number, case in enumerate(CASES)}
        return {
            "cases": cases,
            "noOpMs": _no_op(place, rounds * 3),
            "archiveBytes": (place / "runner.zip").stat().st_size,
        }


def show_runner(console: Console, found: dict[str, Any]) -> None:
    """Print what was measured as a table."""
    table = Table("Host runner", "runner s", "floor s", "ratio", "at most", "peak MiB", box=None)
    for name, row in found["cases"].items():
        table.add_row(
            name, *(f"{row[key]:.2f}" for key in ("runner", "floor", "ratio", "most")), f"{row['peakMiB']:.0f}"
        )
    console.print(table)
    console.print(f"A command with nothing to do: {found['noOpMs']:.0f} ms. Archive: {found['archiveBytes']:,} bytes.")


def runner_faults(found: dict[str, Any]) -> list[str]:
    """Say which bounds are passed."""
    faults = [
        f"{name}: {row['ratio']:.2f} times the floor; {row['most']} is the bound."
        for name, row in found["cases"].items()
        if row["ratio"] > row["most"]
    ]
    peak = max(row["peakMiB"] for row in found["cases"].values())
    if peak > MOST_MEMORY_MIB:
        faults.append(f"The runner took {peak:.0f} MiB; {MOST_MEMORY_MIB:.0f} MiB is the bound.")
    if found["noOpMs"] > MOST_NO_OP_MS:
        faults.append(
            f"A command with nothing to do took {found['noOpMs']:.0f} ms; {MOST_NO_OP_MS:.0f} ms is the bound."
        )
    return faults


def _measured(case: Case, place: Path, home: Path, rounds: int) -> dict[str, float]:
    place.mkdir()
    bundle = _bundle(place, case)
    ours, floor, memory = [], [], 0.0
    for number in range(rounds + 1):
        took, peak = _deploy(place, home, bundle, number)
        memory = max(memory, peak)
        ours.append(took)
        floor.append(_bare(place, bundle, number))
    # The first of each found nothing to clean up.
    ratio = statistics.median(one / other for one, other in zip(ours[1:], floor[1:], strict=True))
    return {
        "runner": statistics.median(ours[1:]),
        "floor": statistics.median(floor[1:]),
        "ratio": ratio,
        "most": case.most,
        "peakMiB": memory,
    }


def _deploy(place: Path, home: Path, bundle: Path, number: int) -> tuple[float, float]:
    order = place / "order.json"
    order.write_text(json.dumps(_order(f"d-{number:09d}", bundle)))
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TIDEGATE_HOST_ROOT": str(place / "host"),
        "AWS_SSM_INSTANCE_ID": "i-1",
    }
    (place / "host").mkdir(exist_ok=True)
    command = [_python(), "-I", "-S", "-c", START, str(home), str(order)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    result = process.stdout.readline().decode()
    took = time.perf_counter() - begun  # what is tidied up behind the result keeps nobody waiting
    peak = process.communicate()[0]
    if json.loads(result)["status"] != "Succeeded":
        raise RuntimeError(result)
    return took, int(peak) / 1024


def _bare(place: Path, bundle: Path, number: int) -> float:
    live = place / "bare" / "live"
    live.mkdir(parents=True, exist_ok=True)
    (live.parent / "hook.sh").write_text("exit 0\n")
    listing = live.parent / "listing"
    listing.touch()
    before = "ApplicationStop" if number else ""
    script = FLOOR.format(before=before, live=live, bundle=bundle, work=live.parent / f"work-{number}", listing=listing)
    begun = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", script], check=True, cwd=live)
    return time.perf_counter() - begun


def _bundle(place: Path, case: Case) -> Path:
    numbers = random.Random(case.files)  # noqa: S311 - content, not a secret
    folder = place / "revision"
    (folder / "app").mkdir(parents=True)
    for number in range(case.files):
        file = folder / "app" / f"{number % 40}" / f"file-{number}"
        file.parent.mkdir(exist_ok=True)
        # Half of it compresses, as in most revisions.
        file.write_bytes((numbers.randbytes(case.size // 2) + b"0123456789abcdef" * (case.size // 32))[: case.size])
    (folder / "hook.sh").write_text("#!/bin/sh\nexit 0\n")
    (folder / "hook.sh").chmod(0o755)
    (folder / "appspec.yml").write_text("version: 0.0\nos: linux\n")
    bundle = place / "bundle.tgz"
    with tarfile.open(bundle, "w:gz", format=tarfile.GNU_FORMAT) as packed:
        packed.add(folder, ".")
    shutil.rmtree(folder)
    return bundle


def _order(deployment: str, bundle: Path) -> dict[str, Any]:
    hook = {"location": "hook.sh", "timeout": 60, "runas": None, "sudo": False}
    content = bundle.read_bytes()
    named = {"url": bundle.as_uri(), "type": "tgz", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files = [{"source": "app", "destination": "/srv/app"}]
    appspec = {"os": "linux", "files": files, "hooks": {event: [hook] for event in HOOKS}, "permissions": []}
    order: dict[str, Any] = {
        "schema": 1,
        "mode": "run",
        "deploymentId": deployment,
        "stage": "host",
        "events": list(IN_PLACE_EVENTS),
    }
    order.update(applicationName="bench", deploymentGroupName="bench", deploymentGroupId=GROUP, revision={})
    order.update(bundle=named, appspec=appspec, limits={"maxRevisions": 100})
    return order


def _no_op(place: Path, rounds: int) -> float:
    """Milliseconds of the whole document, fetched order and all, for a stage that was done before."""
    host = place / "idle"
    host.mkdir()
    runner = (place / "runner.zip").read_bytes()
    with _server({"/runner.zip": runner}) as (content, url):
        bundle = place / "0" / "bundle.tgz"
        order = _order("d-000000001", bundle)
        order["runner"] = {"url": url + "/runner.zip", "sha256": hashlib.sha256(runner).hexdigest()}
        content["/order"] = json.dumps(order).encode()
        command = json.dumps({"url": url + "/order", "sha256": hashlib.sha256(content["/order"]).hexdigest()}).encode()
        script = _document().replace("{{ order }}", base64.b64encode(command).decode())
        environment = {
            "PATH": "/usr/bin:/bin",
            "TIDEGATE_HOST_ROOT": str(host),
            "AWS_SSM_INSTANCE_ID": "i-1",
            "LC_ALL": "C.UTF-8",
        }
        times = []
        for _ in range(rounds + 1):
            begun = time.perf_counter()
            subprocess.run(["/bin/sh", "-c", script], check=True, env=environment, stdout=subprocess.DEVNULL)
            times.append((time.perf_counter() - begun) * 1000)
        return statistics.median(times[1:])


def _document() -> str:
    resources = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    step = resources["RunStageDocument"]["Properties"]["Content"]["mainSteps"][0]
    return "\n".join(step["inputs"]["runCommand"])


@contextmanager
def _server(content: dict[str, bytes]) -> Iterator[tuple[dict[str, bytes], str]]:
    class Handler(http.server.BaseHTTPRequestHandler):
        found: ClassVar[dict[str, bytes]] = content

        def do_GET(self) -> None:
            body = self.found[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield content, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def _workplace() -> Iterator[Path]:
    folder = tempfile.mkdtemp(prefix="tidegate-bench-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


def _installed(place: Path) -> Path:
    """Unpack and compile the runner as the document does."""
    (place / "runner.zip").write_bytes(archive.build(str(RUNNER / "tidegate_runner")))
    home = place / "home"
    shutil.unpack_archive(place / "runner.zip", home)
    if _python() == sys.executable:
        compileall.compile_dir(home, quiet=2)
    else:
        subprocess.run([_python(), "-m", "compileall", "-q", str(home)], check=True)
    return home


def _python() -> str:
    """The host's own Python where there is one: version managers' shims are not what hosts run."""
    return "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable

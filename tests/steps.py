#!/usr/bin/env python3
"""Runs the steps of tests/run.sh, two at a time where they do not disturb each other, and says how long each took.

    steps.py --db URL [--quick] [--minutes N] [--only WORD] [argument of cargo test ...]

A step that runs beside another is printed whole when it ends; one that runs alone is printed as it comes. The URL is that of a server which nobody else uses:
one step kills its processes. With --minutes, what is not done by then is ended and counts as failed. Exits 1 if anything failed. Standard library only.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ACCEPTANCE = ROOT / "tests/acceptance"
KIT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pipe-tsql-parser"
AT_ONCE = 2
# Unit tests look at what the program does, not at how fast: compiled plainly they are ready in a fifth of the time, and arithmetic that overflows is seen.
PLAIN = ["--config", "profile.release.package.pipe.opt-level=0", "--config", "profile.release.package.pipe.overflow-checks=true", "--config", "profile.release.package.pipe.debug-assertions=true"]


class Step:
    """One command, and what may not run beside it."""

    def __init__(self, name, *command, alone=False, server="", cargo=False):
        self.name, self.command, self.alone, self.server, self.cargo = name, [str(c) for c in command], alone, server, cargo
        self.began = self.took = self.worked = 0.0
        self.said = self.process = self.good = None

    def fits(self, others):
        """Tells whether the step can run beside these: nothing uses a server that another step breaks, and cargo waits for cargo."""
        if others and (self.alone or any(o.alone for o in others)):
            return False
        broken = lambda a, b: a.server == "breaks" and b.server
        return not any(broken(self, o) or broken(o, self) or self.cargo and o.cargo for o in others)

    def begin(self):
        self.began = time.monotonic()
        print(f"== {self.name}", flush=True)
        if not self.alone:
            self.said = tempfile.TemporaryFile()
        # A group of its own, so that all of it can be ended.
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.STDOUT if self.said else None, start_new_session=True)

    def ended(self):
        """Looks whether the step has ended; if so, prints what it said and how it went."""
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.took, self.worked, self.good = time.monotonic() - self.began, usage.ru_utime + usage.ru_stime, status == 0
        self.tell("ok" if self.good else "FAILED")
        return True

    def tell(self, result):
        text = b""
        if self.said:
            self.said.seek(0)
            text = self.said.read()
            self.said.close()
        if text.strip():
            print(f"-- {self.name} said:", flush=True)
            sys.stdout.buffer.write(text if text.endswith(b"\n") else text + b"\n")
        print(f"-- {self.name}: {result} ({self.took:.0f} s)", flush=True)

    def end(self, why):
        """Ends the step: politely, so that it can tidy up, then at once."""
        for sent, wait in ((signal.SIGINT, 8), (signal.SIGKILL, 8)):
            try:
                os.killpg(self.process.pid, sent)
                self.process.wait(wait)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.took, self.good = time.monotonic() - self.began, False
        self.tell(why)


def program():
    """Where cargo puts the program."""
    said = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return Path(json.loads(said)["target_directory"]) / "release/pipe"


def building():
    """The steps that compile, one after the other: each uses all cores."""
    return [
        Step("format", "cargo", "fmt", "--check", alone=True),
        Step("lints", "cargo", "clippy", "--release", "--all-targets", "--", "-D", "warnings", alone=True),
        Step("build", "cargo", "build", "--release", "--bin", "pipe", "--test", "suite", alone=True),
    ]


def testing(pipe, db, quick, more):
    """The steps that use what was built, those first that take long."""
    few = lambda many, quickly: quickly if quick else many

    def script(name, title, *arguments, **rules):
        asks = ["--db", db] if rules.get("server") else []
        return Step(f"acceptance: {title}", "python3", ACCEPTANCE / f"{name}.py", "--pipe", pipe, *asks, *arguments, **rules)

    return [
        # 2,000 tables of 100 rows are to be judged within two minutes, which only shows when nothing else runs.
        script("agreement", "agreement", "--cases", few(2000, 300), "--seed", 1, server="uses", alone=True),
        script("live_faults", "live faults", "--points", few(100, 12), server="breaks"),
        script("scout", "scout", "--seeds", few("1-20", "1-3"), *few([], ["--quick"])),
        script("tsql", "T-SQL", "--kit", KIT),
        script("azure", "Azure SQL", "--kit", KIT),       # asks a real server if PIPE_TEST_AZURE_URL names one
        script("report", "report"),
        script("bad_input", "bad input"),
        script("bad_world", "bad world"),
        script("property", "property", "--cases", few(300, 60), "--seed", 1),                # another seed by hand
        script("quarantine", "quarantine", "--cases", few(200, 40), "--seed", 1),
        Step("rust tests: program", "cargo", "test", "--release", "--test", "suite", *more, server="uses", cargo=True),
        Step("rust tests: units", "cargo", "test", "--release", *PLAIN, "--lib", *more, server="uses", cargo=True),
        script("vital", "vital", "--seeds", few("1-20", "1-3"), *few([], ["--quick"]), server="uses"),
        script("rollback", "rollback", "--rounds", few(40, 10), server="uses"),
        script("databases", "databases", "--seeds", few("1-10", "1-3"), *few([], ["--quick"]), server="uses"),
        script("straight", "straight", server="uses"),
        script("views", "views", "--seed", 1, *few(["--plans", 3000, "--seconds", 60], ["--plans", 600, "--seconds", 20]), server="uses"),      # another seed by hand
        script("persona_data", "persona_data", "--seeds", few("1-10", "1-3"), server="uses"),
        script("live", "live", server="uses"),
        script("existing", "existing", server="uses"),
        script("catalog", "catalog", server="uses"),
        script("outdated", "outdated", server="uses"),
        script("torture", "torture", server="uses"),
    ]


class Stopped(Exception):
    """Somebody wants this to end."""


def play(steps, deadline):
    """Runs all steps, each as soon as what runs allows it."""
    waiting, running, parent = list(steps), [], os.getppid()
    try:
        while waiting or running:
            if os.getppid() != parent:      # who started this was killed
                raise Stopped
            for step in list(waiting):
                # Who is to run alone is not passed by those behind.
                if len(running) < AT_ONCE and step.fits(running):
                    waiting.remove(step)
                    running.append(step)
                    step.begin()
                elif step.alone:
                    break
            running = [step for step in running if not step.ended()]
            if time.monotonic() > deadline:
                for step in running:
                    step.end("FAILED: out of time")
                for step in waiting:
                    step.good = False
                    print(f"-- {step.name}: FAILED: not begun, out of time", flush=True)
                return
            time.sleep(0.05)
    except BaseException:
        for step in running:
            step.end("stopped")
        raise


def summary(steps, began):
    """Prints the times, the longest first, and their sums."""
    print("== times: by the clock, and of the processors without the server's")
    for step in sorted(steps, key=lambda s: -s.took):
        print(f"{step.took:7.0f} s {step.worked:7.0f} s  {step.name}{'' if step.good else '  FAILED'}")
    print(f"{time.monotonic() - began:7.0f} s {sum(s.worked for s in steps):7.0f} s  all", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", required=True)
    parser.add_argument("--quick", action="store_true", help="three seeds of the acceptance cases instead of twenty, and none of the large ones")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="what is not done by then counts as failed")
    parser.add_argument("--only", default="", help="steps of tests whose name holds this")
    given, more = parser.parse_known_args()

    def stop(*_):
        raise Stopped

    for ends in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ends, stop)
    began = time.monotonic()
    deadline = began + given.minutes * 60
    steps = building()
    try:
        play(steps, deadline)
        if steps[-1].good:
            with tempfile.TemporaryDirectory(prefix="pipe-program-", dir=program().parent) as place:
                pipe = Path(place) / "pipe"
                # No later step of cargo replaces it there.
                os.link(program(), pipe)
                tests = [s for s in testing(pipe, given.db, given.quick, more) if given.only in s.name]
                steps += tests
                play(tests, deadline)
    except Stopped:
        sys.exit(130)
    summary(steps, began)
    failed = [s.name for s in steps if not s.good]
    if failed:
        print(f"tests/run.sh: FAILED: {', '.join(failed)}")
        sys.exit(1)
    print(f"tests/run.sh: all tests passed in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Fuzzes every parser of outside bytes: first each file of fuzz/corpus, then new inputs for so many seconds.

    fuzz/run.py --seconds 60             all targets share the time, two at once
    fuzz/run.py --seconds 600 jwt order  these alone
    fuzz/run.py --minimise               drops corpus files that add nothing, and takes over what was found new

Ends with one line of figures. The exit code is 1 where an input broke a promise: it is kept in
build/fuzz/findings, and the command that replays it is printed. Inputs that reach something new are
kept in build/fuzz/corpus, for the next run.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
CORPUS = ROOT / "fuzz" / "corpus"
AT_ONCE = 2
INPUT_BYTES_MAX, CORPUS_FILE_BYTES_MAX, CORPUS_TARGET_FILES_MAX = 4096, 2048, 60
INPUT_SECONDS_MAX, MEMORY_MIB_MAX = 5, 1024


class Target:
    def __init__(self, program, work):
        self.program, self.name = program, program.name.removesuffix("_fuzz")
        self.corpus, self.work = CORPUS / self.name, work / "corpus" / self.name
        self.findings = work / "findings"
        self.work.mkdir(parents=True, exist_ok=True)
        self.findings.mkdir(parents=True, exist_ok=True)
        self.log, self.executions = "", 0

    def run(self, *arguments, seconds):
        """The program with its limits; the exit code. What it says is in self.log."""
        command = [self.program, f"-artifact_prefix={self.findings}/{self.name}-", f"-timeout={INPUT_SECONDS_MAX}",
                   f"-rss_limit_mb={MEMORY_MIB_MAX}", f"-max_len={INPUT_BYTES_MAX}", "-print_final_stats=1", *arguments]
        try:
            result = subprocess.run(list(map(str, command)), capture_output=True, timeout=seconds, cwd=ROOT)
        except subprocess.TimeoutExpired:
            self.log = f"did not end within {seconds} s"
            return 1
        self.log = result.stderr.decode(errors="replace")
        return result.returncode

    def files(self):
        return sorted(path for path in self.corpus.glob("*"))

    def replay(self):
        return self.run(*self.files(), seconds=300)

    def fuzz(self, seconds):
        dictionary = ROOT / "fuzz" / f"{self.name}.dict"
        words = [f"-dict={dictionary}"] if dictionary.exists() else []
        code = self.run(*words, f"-max_total_time={seconds}", self.work, self.corpus, seconds=seconds + 120)
        found = re.search(r"stat::number_of_executed_units:\s*(\d+)", self.log)
        self.executions = int(found.group(1)) if found else 0
        return code

    def explain(self):
        """A finding's last words and the command that repeats it."""
        artifact = re.search(r"Test unit written to (\S+)", self.log)
        current = re.findall(r"^Running: (\S+)", self.log, flags=re.M)
        path = artifact.group(1) if artifact else current[-1] if current else None
        print(f"{self.name}: FINDING\n" + "\n".join("    " + line for line in self.log.splitlines()[-40:]))
        if path:
            print(f"{self.name}: replay with  {os.path.relpath(self.program, ROOT)} {os.path.relpath(path, ROOT)}")


def each(targets, work):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, targets))


def minimise(target):
    """The smallest set of files that reaches what the old ones and the new ones reach together."""
    with tempfile.TemporaryDirectory() as folder:
        assert target.run("-merge=1", folder, target.corpus, target.work, seconds=600) == 0, target.log[-2000:]
        old = {path.read_bytes() for path in target.files()}
        new = sorted((path.read_bytes() for path in pathlib.Path(folder).iterdir()), key=lambda data: (data not in old, len(data)))
    named = {path.read_bytes(): path.name for path in target.files()}
    keep = [data for data in new if b"\0" not in data and len(data) <= CORPUS_FILE_BYTES_MAX][:CORPUS_TARGET_FILES_MAX]
    # What was a finding once, or was written by hand, has a name and stays.
    keep += [data for data, name in named.items() if not re.fullmatch(r"[0-9a-f]{8}", name) and data not in keep]
    shutil.rmtree(target.corpus)
    target.corpus.mkdir()
    for data in keep:
        import hashlib
        (target.corpus / named.get(data, hashlib.sha256(data).hexdigest()[:8])).write_bytes(data)
    print(f"{target.name}: {len(keep)} files, {sum(map(len, keep))} bytes")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=25)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--minimise", action="store_true")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_args()

    programs = sorted((options.build / "fuzz").glob("*_fuzz"))
    targets = [Target(program, options.build) for program in programs]
    sources = {path.stem for path in (ROOT / "fuzz").glob("*_fuzz.c")}
    assert {program.name for program in programs} == sources, "build them first: script/test fuzz"
    assert {target.name for target in targets} >= set(options.targets), "no such target"
    targets = [target for target in targets if not options.targets or target.name in options.targets]
    for target in targets:
        assert target.files(), f"{target.name} has no corpus"
    if options.minimise:
        return max(each(targets, minimise))

    failed = {target.name for target, code in zip(targets, each(targets, Target.replay)) if code and not target.explain()}
    share = max(1, int(options.seconds * AT_ONCE / len(targets)))
    sound = [target for target in targets if target.name not in failed]
    failed |= {target.name for target, code in zip(sound, each(sound, lambda target: target.fuzz(share))) if code and not target.explain()}
    idle = [target.name for target in sound if target.name not in failed and target.executions < 100]
    if idle:
        print("hardly executed:", ", ".join(idle))
    files = sum(len(target.files()) for target in targets)
    executions = sum(target.executions for target in targets)
    print(f"fuzz: {len(targets)} targets, {executions} executions in {share} s each, {files} corpus files, {len(failed)} findings")
    return 1 if failed or idle else 0


if __name__ == "__main__":
    sys.exit(main())

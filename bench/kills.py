"""Kill runs at random moments and fill their disk at a random byte; then resume and compare bytes.

    python -m bench.kills mnist --kills 50
    python -m bench.kills table --kills 50
    python -m bench.kills mnist --disks 20 [--tmpfs]

One run that nothing disturbs gives the model file that all others have to end with. With --kills a
run gets SIGKILL at a moment drawn evenly from its length, maybe while it starts or after it ends,
and is resumed. With --disks the disk takes no more from a random byte on: no file may be larger
than that (RLIMIT_FSIZE), or the folder is a file system of that size (--tmpfs, needs root). The run
has to end with one line and status 2 or to succeed, older files have to be whole, and the resumed
run has to end with the same bytes once there is room. Prints one JSON line; the status is 1 unless
all trials ended well. Needs POSIX; mnist needs its files (SYNAPRUNE_DATA_DIR).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from synaprune import SparseMLP, checkpoint

# The console with a checkpoint every tenth of a second, so that short runs write many.
CONSOLE = """
import resource, sys
from synaprune import checkpoint
from synaprune.cli import main
checkpoint.SECONDS = 0.1
largest = int(sys.argv.pop(1))
if largest:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
sys.exit(main())
"""
MNIST = ("mnist", "--epochs", "6", "--retrain-epochs", "3", "--patience", "2")
RUNS = {
    "mnist": (*MNIST, "--candidates", "2", "--search-budget", "0.3", "--max-drop", "0.02"),
    "mnist-gradual": (*MNIST[:3], "--synapses", "500", "--regrow-budget", "1"),
    "table": ("rows.csv", "--target", "kind"),
    "digits": ("digits", "--epochs", "30", "--hidden", "10", "--max-drop", "0.03"),
    "quick": ("rows.csv", "--target", "kind", "--epochs", "20", "--hidden", "4"),
    "runs": ("rows.csv", "--target", "kind", "--epochs", "20", "--runs", "6", "--jobs", "2"),
}
CHECKPOINT = ("--checkpoint", "run.ckpt")
OLDER = "older.npz"


class Trial:
    """Runs of the console in a folder of their own.

    Parameters
    ----------
    folder : Path
    run : str
        One of `RUNS`.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder, self.several = folder, run == "runs"
        self.out = "run.json" if self.several else "model.npz"
        output = ("--json", self.out) if self.several else ("--out", self.out)
        self.command = ("prune", *RUNS[run], "--quiet", *output)

    def start(self, *arguments: str, largest: int = 0) -> subprocess.Popen[bytes]:
        """Start the console; no file may become larger than so many bytes, 0 being any size."""
        command = [sys.executable, "-c", CONSOLE, str(largest), *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def finish(self, *arguments: str, largest: int = 0) -> tuple[int, str]:
        """Run the console to its end; returns status and stderr."""
        process = self.start(*arguments, largest=largest)
        _, err = process.communicate()
        return process.returncode, err.decode()

    def resume(self) -> None:
        """Go on with the checkpoint, or begin if there is none yet, as a user would."""
        if (self.folder / "run.ckpt").exists():
            # Outputs may have been written by the run that was cut off, and would not be replaced.
            output = self.command[-2:] if (self.folder / self.out).exists() else ()
            status, err = self.finish("prune", "--resume", "run.ckpt", *output)
        else:
            status, err = self.finish(*self.command, *CHECKPOINT)
        if status:
            raise AssertionError(f"resumed run ended with status {status}: {err}")

    def result(self) -> bytes:
        """Return the bytes that runs have to agree in; of JSON without times."""
        content = (self.folder / self.out).read_bytes()
        if not self.several:
            return content
        record = json.loads(content)
        for part in (record, *record["runs"]):
            del part["seconds"]
        return json.dumps(record).encode()

    def left_over(self) -> list[str]:
        """Return files that do not belong there, such as half-written ones."""
        known = {"run.ckpt", self.out, "rows.csv", OLDER, "room"}
        return sorted(set(os.listdir(self.folder)) - known)


def write_table(folder: Path) -> None:
    """Write the table of the runs that need one: two numbers tell the kinds apart."""
    draw = random.Random(0)
    rows = [[draw.gauss(0, 1) for _ in range(5)] for _ in range(240)]
    lines = [",".join(f"{x:.3f}" for x in row) + f",{'ab'[row[0] > row[1]]}" for row in rows]
    (folder / "rows.csv").write_text("\n".join(["a,b,c,d,e,kind", *lines, ""]))


@contextlib.contextmanager
def folder_for(run: str, size: int = 0) -> Iterator[Trial]:
    """Make a folder for a run, a file system of so many bytes unless that is 0."""
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        if size:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", name]
            subprocess.run(mount, check=True)
        try:
            write_table(Path(name))
            yield Trial(Path(name), run)
        finally:
            if size:
                subprocess.run(["umount", name], check=True)


def kill(run: str, expected: bytes, seconds: float) -> str:
    """Kill a run after so many seconds and resume it; returns how far it had come."""
    with folder_for(run) as trial:
        process = trial.start(*trial.command, *CHECKPOINT)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)  # those of --jobs hold its pipes until they end
        begun = (trial.folder / "run.ckpt").exists()
        ended = process.returncode == 0
        trial.resume()
        assert trial.result() == expected, "another result"
        return "after its end" if ended else "in the run" if begun else "before its checkpoint"


def fill(run: str, expected: bytes, size: int, tmpfs: bool) -> str:
    """Run on a disk that is full from some byte on, then with room; returns how the first ended."""
    with folder_for(run, 2**26 if tmpfs else 0) as trial:
        SparseMLP((2, 2), seed=0).save(trial.folder / OLDER)
        older = (trial.folder / OLDER).read_bytes()
        (trial.folder / trial.out).write_bytes(older)
        mode = (trial.folder / trial.out).stat().st_mode
        if tmpfs:
            remount(trial.folder, used(trial.folder) + size)
        status, err = trial.finish(*trial.command, *CHECKPOINT, largest=0 if tmpfs else size)
        assert status in (0, 2), f"status {status}: {err}"
        assert status == 0 or err.count("\n") == 1, f"not one line: {err}"
        assert not trial.left_over(), trial.left_over()
        if status:
            assert (trial.folder / trial.out).read_bytes() == older, "an older file was lost"
        if (trial.folder / "run.ckpt").exists():
            checkpoint.CheckpointFile(trial.folder / "run.ckpt", resume=True).close()  # is whole
        if tmpfs:
            remount(trial.folder, 2**26)
        trial.resume()
        assert trial.result() == expected, "another result"
        assert (trial.folder / trial.out).stat().st_mode == mode, "another mode"
        assert (trial.folder / OLDER).read_bytes() == older
        return "full" if status else "large enough"


def used(folder: Path) -> int:
    """Return the bytes that a file system has in use."""
    told = os.statvfs(folder)
    return (told.f_blocks - told.f_bfree) * told.f_frsize


def remount(folder: Path, size: int) -> None:
    """Give a tmpfs another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def trials(run: str, kills: int, disks: int, seed: int, tmpfs: bool = False) -> dict[str, object]:
    """Do all trials; returns their counts, and how they failed if any did."""
    draw = random.Random(seed)
    with folder_for(run) as trial:
        begin = time.monotonic()
        status, err = trial.finish(*trial.command)
        seconds = time.monotonic() - begin
        assert status == 0, err
        expected = trial.result()
        if disks:
            trial.finish(*trial.command, *CHECKPOINT)
        files = (trial.folder / name for name in ("run.ckpt", trial.out))
        largest = max(file.stat().st_size for file in files if file.exists())
    counts: dict[str, int] = {}
    failed = []
    for i in range(kills + disks):
        at = draw.random()
        try:
            if i < kills:
                how = kill(run, expected, at * seconds)
            else:
                how = fill(run, expected, 1 + int(at * largest), tmpfs)
        except AssertionError as error:
            how = "failed"
            failed.append(f"{at}: {error}")
        counts[how] = counts.get(how, 0) + 1
    return {
        "run": run, "kills": kills, "disks": disks, "seed": seed, "seconds": round(seconds, 1),
        "model bytes": len(expected), "largest file": largest, "ended": counts, "failed": failed,
    }  # fmt: skip


def main() -> int:
    """Run the trials that the arguments ask for; returns 1 unless all ended well."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("run", choices=RUNS)
    parser.add_argument("--kills", type=int, default=0, metavar="N")
    parser.add_argument("--disks", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--tmpfs", action="store_true", help="fill a file system (needs root)")
    args = parser.parse_args()
    told = trials(args.run, args.kills, args.disks, args.seed, args.tmpfs)
    print(json.dumps(told))
    return 1 if told["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())

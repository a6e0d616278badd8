# SPDX-License-Identifier: BSD-3-Clause
"""What a laboratory leaves when it is killed: processes, namespaces, its folder.

Run as a program (reap.py PREFIX, the folder on its standard input) it stands by, outside its parent's process group and tree, until its standard input ends, which the kernel sees to
whatever becomes of the parent; then it sweeps. Processes are known by the folder, which is unique: it stands in their environment (SLUICE_LAB) or command line,
or they live in a namespace with the prefix.
"""
import os
import shutil
import signal
import subprocess
import sys
import time


def belongs(pid, folder):
    """Whether a living process is the laboratory's."""
    for part in ("environ", "cmdline"):
        try:
            with open(f"/proc/{pid}/{part}", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            return False
        if any(word == b"SLUICE_LAB=" + folder or word == folder or word.startswith(folder + b"/") for word in words):
            return True
    return False


def zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def spaces(prefix):
    try:
        return [name for name in os.listdir("/run/netns") if name.startswith(prefix + "-")]
    except FileNotFoundError:
        return []


def inside(prefix):
    found = set()
    for space in spaces(prefix):
        done = subprocess.run(["ip", "netns", "pids", space], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        found |= {int(pid) for pid in done.stdout.split()}
    return found


def members(folder, prefix):
    folder = os.fsencode(folder)
    named = {int(pid) for pid in os.listdir("/proc") if pid.isdigit() and belongs(pid, folder)}
    return {pid for pid in named | inside(prefix) if pid != os.getpid() and not zombie(pid)}


def sweep(folder, prefix, patience=10):
    """Ends what is left, and takes namespaces and folder away; answers the command lines of the processes that it ended."""
    end, ended = time.monotonic() + patience, {}
    while (left := members(folder, prefix)) and time.monotonic() < end:
        for pid in left:
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    ended[pid] = file.read().replace(b"\0", b" ").decode(errors="replace")
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.02)
    for space in spaces(prefix):
        subprocess.run(["ip", "netns", "del", space], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)
    return list(ended.values())


def stand_by(folder, prefix):
    """A reaper for this process; answers the pipe that keeps it waiting. It is told by "done" that there is nothing to do."""
    environment = {name: value for name, value in os.environ.items() if name != "SLUICE_LAB"}
    child = subprocess.Popen([sys.executable, os.path.abspath(__file__), prefix], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    child.stdin.write(os.fsencode(folder) + b"\n")
    child.stdin.flush()
    child.wait()  # the one that stands by is its child, and nobody's after this
    return child.stdin


def main():
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder = os.fsdecode(sys.stdin.buffer.readline().rstrip(b"\n"))
    if sys.stdin.buffer.read() != b"done" and folder:
        sweep(folder, sys.argv[1])


if __name__ == "__main__":
    main()

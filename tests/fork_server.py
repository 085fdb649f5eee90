"""Starts the training scripts by forking a process that has imported them already, which saves seconds for each.

Run as a script this is the server: it reads requests from stdin, one JSON object a line, and answers each on stdout.
"""
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from torch.distributed import TCPStore

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ("train_actvae", "train_actvae_p2inetwork")
CLOSED, NO_READER = "closed", "no reader"            # instead of a file for stdout or stderr


class ForkServer:
    """The server's side that tests see; started when first needed."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        self.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        cwd=ROOT, start_new_session=True)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, script, *argv, stdout=os.devnull, stderr=None, environment=None):
        """Start a script (its module's name) -> :class:`Script`. Output goes to files, or `CLOSED` or `NO_READER`."""
        self.count += 1
        stderr_path = self.folder / f"{self.count}.txt"
        stderr_path.touch()
        pid = self.ask({"script": script, "argv": [*map(str, argv)], "stdout": stdout, "stderr": stderr or str(stderr_path),
                        "environment": environment or {}})
        return Script(self, pid, stderr_path)

    def start_job(self, script, *argv):
        """Start a script in two processes that form a job, as `torchrun` does -> both :class:`Script`, rank zero first."""
        self.store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)          # lives until the next job
        job = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(self.store.port),
               "TORCHELASTIC_USE_AGENT_STORE": "True"}
        return [self.start(script, *argv, environment={**job, "RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")]

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


class Script:
    """A started script, which is used like a `subprocess.Popen`; it leads a process group of its own."""

    def __init__(self, server, pid, stderr_path):
        self.server, self.pid, self.stderr_path, self.returncode = server, pid, stderr_path, None

    def poll(self):
        if self.returncode is None:
            self.returncode = self.server.ask({"pid": self.pid})
        return self.returncode

    def wait(self, timeout=60):
        """Wait for its end -> exit status."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < end, "it does not end"
            time.sleep(0.01)
        return self.returncode

    def errors(self):
        """What it has written to stderr."""
        return self.stderr_path.read_text()

    def send_signal(self, number):
        os.kill(self.pid, number)


def serve():
    """Answer requests; returns the request of which this process, forked, has to become the script, or None at the end."""
    alive = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "script" in request:
            pid = os.fork()
            if not pid:
                return request
            alive.add(pid)
            answer = pid
        else:
            pid, status = os.waitpid(request["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
            alive.discard(pid)
        print(json.dumps(answer), flush=True)
    for pid in alive:                                  # a test that failed has left it behind
        os.killpg(pid, signal.SIGKILL)
    return None


def become(request):
    """Turn this process into the script."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if request[name] == CLOSED:
            os.close(number)
            setattr(sys, name, None)
        elif request[name] == NO_READER:
            read, write = os.pipe()
            os.close(read)
            os.dup2(write, number)
        else:
            os.dup2(os.open(request[name], os.O_WRONLY), number)
    os.environ.update(request["environment"])
    sys.argv = [f"{request['script']}.py", *request["argv"]]
    command(importlib.import_module(request["script"]).main)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for name in (*SCRIPTS, "torch._dynamo", "torchmetrics"):     # the last two are imported where an optimizer or SSIM is used
        __import__(name)
    from utils.errors import command
    job = serve()
    if job:
        become(job)

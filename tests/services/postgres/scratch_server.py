"""A PostgreSQL server of a test's own: in a temporary folder, reachable by a socket there and nowhere else, gone with the
test. As a program it prints `ready SETTINGS` (for libpq) and ends when its input does."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

PATIENCE = 60  # Seconds.
USER = "postgres"  # As whom root has it run: PostgreSQL refuses root.


def binaries():
    """The folder of initdb and postgres, of the newest version."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb") or [shutil.which("initdb")]
    if not found[0]:
        raise FileNotFoundError("no initdb: tools/setup --tests installs PostgreSQL")
    return os.path.dirname(max(found, key=lambda path: [int(part) for part in path.split("/") if part.isdigit()]))


class ScratchServer:
    """`with` starts it and ends it, whatever happens."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postgres.")
        self.settings = f"host={self.folder} user=tester dbname=postgres"
        self.data = os.path.join(self.folder, "data")
        self.child = self.drain = None
        self.prefix = ["setpriv", "--pdeathsig", "INT"]
        if os.geteuid() == 0:
            who = pwd.getpwnam(USER)
            os.chown(self.folder, who.pw_uid, who.pw_gid)
            self.prefix += [f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--init-groups"]

    def __enter__(self):
        try:
            self.run("initdb", "--auth=trust", "--username=tester", "--encoding=UTF8", "--locale=C", "--no-sync")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, program, *arguments):
        return [*self.prefix, os.path.join(binaries(), program), "-D", self.data, *arguments]

    def run(self, program, *arguments):
        done = subprocess.run(self.command(program, *arguments), cwd=self.folder, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr}")

    def start(self):
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "off",
                    "shared_buffers": "16MB", "max_connections": "60", "autovacuum": "off",
                    "client_connection_check_interval": "100ms"}
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.child = subprocess.Popen(self.command("postgres", *flags), cwd=self.folder, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.child.stderr:
            said.append(line)
            if "ready to accept connections" in line:
                break
        else:
            raise RuntimeError("postgres ended: " + "".join(said))
        # It goes on talking; nobody listens.
        self.drain = threading.Thread(target=lambda stream: [None for _ in stream], args=(self.child.stderr,))
        self.drain.start()

    def stop(self):
        """Ends its connections and then itself."""
        if self.child is None:
            return
        self.child.send_signal(signal.SIGINT)
        try:
            self.child.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.send_signal(signal.SIGQUIT)
            self.child.wait()
        if self.drain:
            self.drain.join()
        self.child.stderr.close()
        self.child = None


if __name__ == "__main__":
    with ScratchServer() as server:
        print("ready", server.settings, flush=True)
        sys.stdin.read()

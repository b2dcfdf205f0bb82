"""Hosts as network namespaces, joined by a bridge. All of it is inside namespaces of the test's own (network, processes,
mounts), so that tests do not meet, and nothing is left however one ends: the kernel takes it all away with the test."""

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import time

import process

INSIDE = "CLUSTER_INSIDE"
SKIPPED = 77
CLONE_NEWNET = 0x40000000
NAMES = "/run/netns"


def enter():
    """Goes into namespaces of its own, or ends with the reason."""
    if os.geteuid() != 0:
        print("skipped: only root can make network namespaces")
        sys.exit(SKIPPED)
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "yes"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
                              sys.executable, "-B", *sys.argv])
    os.makedirs(NAMES, exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", NAMES)


def run(*command, said=""):
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}{said}")


class Network:
    """The bridge, and who is at it."""

    def __init__(self):
        self.hosts = {}
        run("ip", "-batch", "-", said="link set lo up\nlink add switch type bridge\nlink set switch up\n")

    def host(self, name, emulated=None):
        """A new host. `emulated`: what its link does to packets, see Link."""
        made = self.hosts[name] = Host(name, len(self.hosts) + 1, emulated)
        return made

    def remove(self):
        for host in self.hosts.values():
            host.remove()
        run("ip", "link", "del", "switch")


class Host:
    MOST = 250

    def __init__(self, name, number, emulated):
        self.name, self.address, self.link = name, f"10.0.0.{number}", None
        port = self.port = f"port{number}"
        run("ip", "netns", "add", name)
        if emulated is None:
            run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        else:
            self.link = Link(port, f"end{number}")
            run("ip", "link", "set", f"end{number}", "netns", name, "name", "eth0")
        # Neighbours are known, so that no lost question for them stops what a test is about.
        neighbours = "".join(f"neigh replace 10.0.0.{n} lladdr {self._mac(n)} nud permanent dev eth0\n"
                             for n in range(1, self.MOST + 1) if n != number)
        run("ip", "-n", name, "-batch", "-", said=f"link set lo up\nlink set eth0 address {self._mac(number)}\n"
            f"addr add {self.address}/24 dev eth0\nlink set eth0 up\n{neighbours}")
        run("ip", "link", "set", port, "master", "switch", "up")
        self._nft("add table inet faults\n"
                  "add chain inet faults in { type filter hook input priority 0; }\n"
                  "add chain inet faults out { type filter hook output priority 0; }\n")
        if emulated is not None:
            self.link.both(**emulated)

    @staticmethod
    def _mac(number):
        return f"02:00:00:00:00:{number:02x}"

    def _nft(self, rules):
        run("ip", "netns", "exec", self.name, "nft", "-f", "-", said=rules)

    def start(self, program, *arguments):
        return process.Process(program, *arguments, within=("ip", "netns", "exec", self.name))

    def cut(self, *directions):
        """Nothing comes "in", nothing goes "out"; both, if none is named. The time when it holds."""
        self._nft("flush table inet faults\n" +
                  "".join(f"add rule inet faults {each} {'i' if each == 'in' else 'o'}ifname eth0 drop\n"
                          for each in directions or ("in", "out")))
        return time.monotonic()

    def reset(self):
        """Whatever comes in by TCP is answered with a reset. The time when it holds."""
        self._nft("flush table inet faults\nadd rule inet faults in iifname eth0 meta l4proto tcp "
                  "reject with tcp reset\n")
        return time.monotonic()

    def heal(self):
        self._nft("flush table inet faults\n")
        return time.monotonic()

    def bytes(self):
        """That have come and gone."""
        return sum(self._bytes())

    def received(self):
        """Bytes that have come."""
        return self._bytes()[0]

    def _bytes(self):
        shown = subprocess.run(["ip", "-n", self.name, "-s", "-j", "link", "show", "dev", "eth0"], capture_output=True,
                               text=True, check=True)
        figures = json.loads(shown.stdout)[0]["stats64"]
        return figures["rx"]["bytes"], figures["tx"]["bytes"]

    def attempts(self):
        """Who begins to connect to this host, from now on."""
        return Attempts(self.name)

    def remove(self):
        if self.link is None:
            run("ip", "link", "del", self.port)  # A namespace goes later than its name.
        else:
            self.link.remove()
        run("ip", "netns", "del", self.name)


class Link:
    """A link through the emulator. What can be set: delay_ms, jitter_ms, loss, duplicate, reorder (shares from 0 to 1), rate
    (bits in a second), queue_ms. What is not named is off."""

    def __init__(self, *ends):
        self.emulator = subprocess.Popen([process.binary("cluster_link_emulator"), *ends], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        self._hear("ready")

    def both(self, **settings):
        self._tell("both", settings)

    def to_host(self, **settings):
        self._tell("there", settings)

    def from_host(self, **settings):
        self._tell("back", settings)

    def _tell(self, which, settings):
        self.emulator.stdin.write(" ".join([which, *(f"{name}={value}" for name, value in settings.items())]) + "\n")
        self.emulator.stdin.flush()
        self._hear("ok")

    def _hear(self, wanted):
        heard = self.emulator.stdout.readline().strip()
        if heard != wanted:
            raise AssertionError(f"the link emulator says '{heard}', not '{wanted}'")

    def remove(self):
        self.emulator.stdin.close()
        self.emulator.wait(timeout=process.PATIENCE)
        self.emulator.stdout.close()


class Attempts:
    """The first packet of each TCP connection that arrives at a host, seen from outside of all programs."""

    # Of IPv4 packets, TCP segments with SYN and without ACK (classic BPF: code, jump if true, if false, operand).
    ONLY_SYN = ((0x30, 0, 0, 9), (0x15, 0, 5, 6), (0xb1, 0, 0, 0), (0x50, 0, 0, 13), (0x54, 0, 0, 0x12),
                (0x15, 0, 1, 2), (0x06, 0, 0, 0xffff), (0x06, 0, 0, 0))
    SO_ATTACH_FILTER, SO_TIMESTAMPNS, ETH_P_IP = 26, 35, 0x0800

    def __init__(self, namespace):
        self.seen = []  # (time, address that it came from, port that it went to)
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", encoding="utf-8") as ours, \
                open(f"{NAMES}/{namespace}", encoding="utf-8") as theirs:
            assert libc.setns(theirs.fileno(), CLONE_NEWNET) == 0
            try:
                self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
            finally:
                assert libc.setns(ours.fileno(), CLONE_NEWNET) == 0
        code = b"".join(struct.pack("HBBI", *each) for each in self.ONLY_SYN)
        held = ctypes.create_string_buffer(code)
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_ATTACH_FILTER,
                               struct.pack("HL", len(self.ONLY_SYN), ctypes.addressof(held)))
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_TIMESTAMPNS, 1)
        self.socket.bind(("eth0", self.ETH_P_IP))

    def read(self):
        """All so far, with the times when they came."""
        while True:
            try:
                packet, (said, *_), _, where = self.socket.recvmsg(2048, 100)
            except BlockingIOError:
                return self.seen
            if where[2] == socket.PACKET_HOST:
                seconds, nanoseconds = struct.unpack("qq", said[2])
                when = seconds + nanoseconds / 1e9 - time.time() + time.monotonic()
                port = struct.unpack_from("!H", packet, (packet[0] & 0x0f) * 4 + 2)[0]
                self.seen.append((when, socket.inet_ntoa(packet[12:16]), port))

    def close(self):
        self.socket.close()

"""What clients wrote down about their calls, and servers about their executions: the two lists decide. Times are in seconds
of the monotonic clock, which all processes share."""

import collections
import os

LATE = 0.2  # An outcome after the deadline, at most.
STARTING = 0.05  # Between the look at the deadline and the handler's first line, on a busy machine.


class TooSlow(AssertionError):
    """A time that was not held. Where the machine may be busy with others, the best of some attempts counts."""


Execution = collections.namedtuple("Execution", "id start deadline method server")


class Call:
    def __init__(self, sent, deadline, load):
        self.sent, self.deadline, self.load = sent, deadline, load
        self.ended = self.outcome = self.execution = None

    @property
    def ok(self):
        return self.outcome == "ok"

    @property
    def took(self):
        return self.ended - self.sent

    def __repr__(self):
        end = "has not ended" if self.ended is None else f"{self.outcome} {self.execution} after {self.took:.3f} s"
        return f"({self.load} of {self.sent:.3f}: {end})"


def seconds(text):
    return int(text) / 1e9


def whole_lines(path):
    """A line that is being written is not one yet."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield line.split()


def last_line(path):
    """The last whole line of a file that grows; nothing if there is none."""
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 1000))
        lines = file.read().decode().split("\n")[:-1]
    return lines[-1].split() if lines else None


def read_calls(path):
    """Calls by id, in the order of sending."""
    calls = {}
    for what, number, *rest in whole_lines(path):
        if what == "sent":
            calls[number] = Call(seconds(rest[0]), seconds(rest[1]), rest[2])
        else:
            call = calls[number]
            if call.ended is not None:
                raise AssertionError(f"call {number} ended twice: {call} and {rest}")
            call.ended, call.outcome, call.execution = seconds(rest[0]), rest[1], " ".join(rest[2:])
    return calls


def read_executions(path, server):
    return [Execution(number, seconds(start), seconds(deadline), method, server)
            for number, start, deadline, method in whole_lines(path)]


class Accounts:
    def __init__(self, calls, executions):
        self.calls, self.executions = calls, executions

    def outcomes(self):
        return dict(collections.Counter(f"{call.outcome}/{call.execution}" for call in self.calls.values()))

    def times_run(self):
        return collections.Counter(each.id for each in self.executions)

    def check(self, test, twice_allowed=()):
        """What holds whatever has been done to the network. Methods of `twice_allowed` are idempotent."""
        calls, run = self.calls, self.times_run()
        test.assertEqual([call for call in calls.values() if call.ended is None], [], "never ended")
        test.assertEqual([each for each in self.executions
                          if run[each.id] > 1 and each.method not in twice_allowed], [], "ran twice")
        test.assertEqual([(each, calls[each.id]) for each in self.executions
                          if each.start > calls[each.id].deadline + STARTING], [], "started after its deadline")
        test.assertEqual([call for number, call in calls.items() if call.ok and run[number] == 0], [],
                         "answered, but ran nowhere")
        test.assertEqual([call for number, call in calls.items() if call.execution == "not run" and run[number] > 0],
                         [], "ran, though it is said that it did not")
        test.assertEqual([call for call in calls.values() if call.outcome == "another's_answer"], [])
        late = [call for call in calls.values() if call.ended > call.deadline + LATE]
        if late:
            raise TooSlow(f"{len(late)} calls ended late, the last: {late[-1]}")

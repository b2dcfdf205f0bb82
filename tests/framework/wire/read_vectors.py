#!/usr/bin/env python3
"""A second reader of the mailroom wire protocol, written from framework/wire/PROTOCOL.md and sharing no code with
the first. Reads vectors.txt and checks that every frame means what it is said to mean.

usage: read_vectors.py vectors.txt     exits 0, or 1 with one line for each vector that differs
"""

import base64
import json
import struct
import sys


class Garbage(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Garbage(why)


# MessagePack, as PROTOCOL.md section 3 restricts it.

MAX_DEPTH = 64


class Ext:
    def __init__(self, kind, data):
        self.kind, self.data = kind, data


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(count <= len(self.data) - self.at, "cut short")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def run(self, count):
        need(count <= len(self.data) - self.at, "more elements announced than bytes are left")
        return range(count)

    def array_head(self):
        tag = self.number("B")
        if tag & 0xf0 == 0x90:
            return tag & 15
        need(tag in (0xdc, 0xdd), "no array")
        return self.number("H" if tag == 0xdc else "I")

    def value(self, depth=MAX_DEPTH):
        tag = self.number("B")
        if tag < 0x80:
            return tag
        if tag >= 0xe0:
            return tag - 256
        if tag < 0x90:
            return self.map(tag & 15, depth)
        if tag < 0xa0:
            return self.array(tag & 15, depth)
        if tag < 0xc0:
            return self.text(tag & 31)
        if tag in (0xc0, 0xc2, 0xc3):
            return {0xc0: None, 0xc2: False, 0xc3: True}[tag]
        scalars = {0xca: "f", 0xcb: "d", 0xcc: "B", 0xcd: "H", 0xce: "I", 0xcf: "Q",
                   0xd0: "b", 0xd1: "h", 0xd2: "i", 0xd3: "q"}
        if tag in scalars:
            return self.number(scalars[tag])
        sizes = {0xc4: "B", 0xc5: "H", 0xc6: "I", 0xc7: "B", 0xc8: "H", 0xc9: "I",
                 0xd9: "B", 0xda: "H", 0xdb: "I", 0xdc: "H", 0xdd: "I", 0xde: "H", 0xdf: "I"}
        if tag in sizes:
            size = self.number(sizes[tag])
            if tag <= 0xc6:
                return self.take(size)
            if tag <= 0xc9:
                return Ext(self.number("b"), self.take(size))
            if tag <= 0xdb:
                return self.text(size)
            return self.array(size, depth) if tag <= 0xdd else self.map(size, depth)
        need(0xd4 <= tag <= 0xd8, "no MessagePack")
        return Ext(self.number("b"), self.take(1 << (tag - 0xd4)))

    def text(self, size):
        raw = self.take(size)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw

    def array(self, count, depth):
        need(depth > 0, "nested too deep")
        return [self.value(depth - 1) for _ in self.run(count)]

    def map(self, count, depth):
        need(depth > 0, "nested too deep")
        pairs = [(self.value(depth - 1), self.value(depth - 1)) for _ in self.run(count)]
        if not all(isinstance(key, str) for key, _ in pairs):
            return Pairs(pairs)
        return dict(reversed(pairs))  # Of a key that occurs twice, the first counts.

    def end(self):
        need(self.at == len(self.data), "something follows the value")


class Pairs(list):
    """A map with keys that are not all strings."""


def one_value(data):
    cursor = Cursor(data)
    value = cursor.value()
    cursor.end()
    return value


def fixed_array(data, kinds):
    """An array of fixed meaning: those of `kinds` are read, what follows is skipped."""
    cursor = Cursor(data)
    count = cursor.array_head()
    need(count >= len(kinds), "too few elements")
    cursor.run(count)
    values = [cursor.value() for _ in range(count)]
    cursor.end()
    return [kind(value) for kind, value in zip(kinds, values)]


def shown(value):
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, list) and not isinstance(value, Pairs):
        return [shown(each) for each in value]
    if isinstance(value, dict):
        return {key: shown(each) for key, each in value.items()}
    return value


# Kinds of values: functions that give the value or complain.

MAX_TEXT = 4096


def whole(low, high):
    def check(value):
        need(isinstance(value, int) and not isinstance(value, bool), "no whole number")
        need(low <= value <= high, "number out of range")
        return value
    return check


U8, U16, U32, U64 = (whole(0, 2**bits - 1) for bits in (8, 16, 32, 64))
I64 = whole(-2**63, 2**63 - 1)
NOT_NEGATIVE = whole(0, 2**63 - 1)


def anything(value):
    return shown(value)


def text(value):
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as wrong:
            raise Garbage("no UTF-8") from wrong
    need(isinstance(value, str), "no text")
    return value


def short_text(value):
    value = text(value)
    need(len(value.encode()) <= MAX_TEXT, "text too long")
    return value


def flag(value):
    need(isinstance(value, bool), "no bool")
    return value


def identity(value):
    value = value.encode() if isinstance(value, str) else value
    need(isinstance(value, bytes) and len(value) == 16, "no identity")
    return value.hex()


def list_of(kind, limit):
    def check(value):
        need(isinstance(value, list) and not isinstance(value, Pairs), "no array")
        need(len(value) <= limit, "too many")
        return [kind(each) for each in value]
    return check


def map_of(**fields):
    """name=(kind, default); unknown keys are skipped."""
    def check(value):
        need(isinstance(value, dict), "no map with strings as keys")
        return {name: kind(value[name]) if name in value else default
                for name, (kind, default) in fields.items()}
    return check


NOBODY = "00" * 16
TOPICS = list_of(map_of(exchange=(short_text, ""), topic=(short_text, ""), loop=(U32, 0)), 65536)
LOOPS = list_of(map_of(turns=(U64, 0), oldest_queued_ms=(U32, 0)), 256)

HELLO = map_of(node=(short_text, ""), incarnation=(identity, NOBODY), min=(U8, 1), max=(U8, 1),
               capabilities=(list_of(short_text, 64), []), time=(I64, 0))
WELCOME = map_of(version=(U8, 1), node=(short_text, ""), incarnation=(identity, NOBODY),
                 session=(identity, NOBODY), echo=(I64, 0), received=(I64, 0), sent=(I64, 0),
                 heartbeat_ms=(U32, 1000), dead_after_ms=(U32, 3000), max_frame=(U64, 0),
                 max_body=(U64, 0), in_flight=(U32, 0), data=(list_of(short_text, 256), []),
                 topics=(TOPICS, []), capabilities=(list_of(short_text, 64), []),
                 credit_bytes=(U64, 0))
REJECT = map_of(code=(U16, 0), reason=(short_text, ""), min=(U8, 1), max=(U8, 1),
                retry_after_ms=(U32, 0))
PING = map_of(offset=(I64, 0), error=(NOT_NEGATIVE, 0), loops=(LOOPS, []))
PONG = map_of(loops=(LOOPS, []), draining=(flag, False), peers=(U32, 0))
ANNOUNCE = map_of(topics=(TOPICS, []))
STUCK = map_of(loops=(list_of(U32, 256), []),
               topics=(list_of(map_of(exchange=(short_text, ""), topic=(short_text, "")), 65536), []))
GOAWAY = map_of(reason=(short_text, ""), deadline_ms=(U32, 0))


# Messages: fixed fields as a struct with names (x: reserved), and a function of fields and payload.

def named(form, *names):
    def read(head):
        size = struct.calcsize("<" + form)
        need(len(head) >= size, "fixed fields too short")
        return dict(zip(names, struct.unpack("<" + form, head[:size])))
    return read


def mapped(kind):
    return lambda fields, payload: {**fields, **kind(one_value(payload))}


def arguments(fields, payload):
    # None: it has come before, in chunks.
    return {**fields, "arguments": shown(one_value(payload)) if payload else None}


def call_fields(head):
    fields = CALL(head)
    if len(head) >= 40 and any(head[24:40]):
        fields["key"] = head[24:40].hex()
    return fields


def call(fields, payload):
    flags = fields.pop("flags")
    if flags & FOR_ALL:
        fields["for_all"] = True
    return arguments({**fields, "priority": min(fields["priority"], HIGHEST_PRIORITY)}, payload)


def reply(fields, payload):
    return {**fields, "value": shown(one_value(payload)) if payload else None}


def failure(fields, payload):
    fields["execution"] = fields["execution"] if fields["execution"] <= 2 else 1
    kind, message = fixed_array(payload, [text, text])
    return {**fields, "type": kind, "message": message}


def route(fields, payload):
    need(fields["number"] < 65536, "route number over the limit")
    names = ["exchange", "topic", "namespace", "version", "method"]
    return {**fields, **dict(zip(names, fixed_array(payload, [short_text] * 5)))}


def chain(fields, payload):
    cursor = Cursor(payload)
    links = cursor.array_head()
    need(links <= 64, "too many links")
    cursor.run(links)
    read = []
    for _ in range(links):
        parts = cursor.array_head()
        need(parts >= 3, "too few elements")
        cursor.run(parts)
        values = [cursor.value() for _ in range(parts)]
        name = text(values[2])
        need(len(name.encode()) <= 2 * MAX_TEXT + 1, "name over the limit")
        read.append({"endpoint": U64(values[0]), "number": U64(values[1]), "name": name})
    cursor.end()
    return {**fields, "links": read}


def attach(fields, _):
    need(fields["error"] >= 0, "negative error")
    return {**fields, "session": fields["session"].hex()}


def hello(fields, payload):
    what = HELLO(one_value(payload))
    need(what["min"] <= what["max"], "no version between min and max")
    return {**fields, **what}


def admin(fields, payload):
    verb, argument = fixed_array(payload, [short_text, anything])
    return {**fields, "verb": verb, "arguments": argument}


def admin_reply(fields, payload):
    value = one_value(payload)
    if fields["code"] == 0:
        return {**fields, "value": shown(value)}
    return {**fields, "message": text(value)}


def bare(fields, _):
    return fields


def cancel_fields(head):
    fields = named("Q", "id")(head)
    loop, route = struct.unpack("<II", head[8:16]) if len(head) >= 16 else (NOT_TOLD, NOT_TOLD)
    return fields if route == NOT_TOLD else {**fields, "loop": loop, "route": route}


CALL = named("QqIBBBx", "id", "deadline", "route", "attempt", "priority", "flags")
HIGHEST_PRIORITY = 7
FOR_ALL = 1
IDEMPOTENT = 1
NOT_TOLD = 0xffffffff
NOTHING = named("")
DATA = {
    1: ("call", call_fields, call),
    2: ("cast", CALL, call),
    3: ("reply", named("Q", "id"), reply),
    4: ("failure", named("QHBxI", "id", "code", "execution", "retry_after_ms"), failure),
    5: ("route", named("I", "number"), route),
    6: ("attach", named("16sqq", "session", "offset", "error"), attach),
    7: ("attached", NOTHING, bare),
    8: ("credit", named("I4xQ", "messages", "bytes"), bare),
    9: ("chunk", named("QQQ", "id", "offset", "total"), lambda f, p: {**f, "data": p.hex()}),
    10: ("chain", named("Q", "id"), chain),
    11: ("fence", named("Q", "number"), bare),
    12: ("fenced", named("Q", "number"), bare),
    13: ("taken", named("Q", "bytes"), bare),
    42: ("bye", NOTHING, bare),
}
CONTROL = {
    32: ("hello", NOTHING, hello),
    33: ("welcome", NOTHING, mapped(WELCOME)),
    34: ("reject", NOTHING, mapped(REJECT)),
    35: ("ping", named("q", "time"), mapped(PING)),
    36: ("pong", named("qqq", "echo", "received", "sent"), mapped(PONG)),
    37: ("announce", NOTHING, mapped(ANNOUNCE)),
    38: ("goaway", NOTHING, mapped(GOAWAY)),
    39: ("admin", named("Q", "id"), admin),
    40: ("admin_reply", named("QH6x", "id", "code"), admin_reply),
    41: ("cancel", cancel_fields, bare),
    42: ("bye", NOTHING, bare),
    43: ("stuck", NOTHING, mapped(STUCK)),
}
PLANES = {0: ("control", CONTROL), 1: ("data", DATA)}


def read_frame(data):
    need(len(data) >= 8, "no frame head")
    magic, version, plane, count = struct.unpack("<2sBBI", data[:8])
    need(magic == b"MR", "no frame of ours")
    need(version == 1, "another version")
    need(plane in PLANES, "no such plane")
    name, kinds = PLANES[plane]
    at, messages = 8, []
    for _ in range(count):
        need(len(data) - at >= 8, "cut short in a message head")
        kind, flags, head, length = struct.unpack("<BBHI", data[at:at + 8])
        need(length <= len(data) - at - 8, "cut short in a message")
        need(head <= length, "fixed fields beyond the message")
        body = data[at + 8:at + 8 + length]
        at += 8 + length
        if kind in kinds:
            called, fields, meaning = kinds[kind]
            messages.append({"kind": called, **meaning(fields(body[:head]), body[head:])})
            if called == "reply" and flags & IDEMPOTENT:
                messages[-1]["idempotent"] = True
        else:
            messages.append({"kind": "unknown", "type": kind})
    need(at == len(data), "bytes after the last message")
    return {"plane": name, "messages": messages}


def vectors(path):
    with open(path, encoding="ascii") as lines:
        current = {}
        for line in list(lines) + [""]:
            line = line.rstrip("\n")
            if line.startswith("#"):
                continue
            if line:
                key, _, value = line.partition(":")
                current[key] = value.strip()
            elif current:
                yield current
                current = {}


def same(left, right):
    """Equal, and of the same types (1 is not True)."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    seen = wrong = 0
    for vector in vectors(sys.argv[1]):
        seen += 1
        try:
            meaning = read_frame(bytes.fromhex(vector["hex"]))
            trouble = None
        except Garbage as why:
            meaning, trouble = None, str(why)
        if "error" in vector:
            good = trouble is not None
        else:
            good = trouble is None and same(meaning, json.loads(vector["json"]))
        if not good:
            wrong += 1
            print(f"{vector['vector']}: read as {trouble or json.dumps(meaning)}", file=sys.stderr)
    print(f"{seen} vectors, {wrong} differ")
    return 1 if wrong or seen == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

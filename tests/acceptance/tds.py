"""A stand-in for Azure SQL: it speaks the server's side of TDS 7.4, executes nothing, and writes down all it is told.

Built from the published specification ([MS-TDS]), not from a server: that `pipe` gets along with it shows that both read the same text. It keeps the state that
the protocol has (login, packet size, transaction descriptors, attention), refuses what the text forbids, and fails where a test wants it to.
Encoding and decoding of values come from `tests/tsql/tdsstub.py`. Standard library only.
"""
import decimal
import re
import socket
import ssl
import struct
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tsql"))
from tdsstub import COLL, Reader, b_var, done, error, name_of, rowset, type_info, us_var, value  # noqa: E402

decimal.DefaultContext.prec = 80  # of each thread, or values of 38 digits are rounded while they are decoded
PRELOGIN, LOGIN, BATCH, BULK, ATTENTION = 0x12, 0x10, 0x01, 0x07, 0x06
NOT_ENCRYPTED, ENCRYPTED = 2, 1


class Gone(Exception):
    """The other side hung up."""


class Pipe:
    """Bytes of a session: plain, or by way of TLS."""

    def __init__(self, sock):
        self.sock, self.tls, self.incoming, self.outgoing = sock, None, None, None

    def raw(self, count):
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                raise Gone
            data += part
        return data

    def read(self, count):
        if not self.tls:
            return self.raw(count)
        data = b""
        while len(data) < count:
            try:
                part = self.tls.read(count - len(data))
                if not part:
                    raise Gone
                data += part
            except ssl.SSLWantReadError:
                more = self.sock.recv(65536)
                if not more:
                    raise Gone
                self.incoming.write(more)
        return data

    def write(self, data):
        if self.tls:
            self.tls.write(data)
            data = self.outgoing.read()
        self.sock.sendall(data)

    def encrypt(self, context):
        """The handshake, whose bytes travel in PRELOGIN packets."""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                finished = True
            except ssl.SSLWantReadError:
                finished = False
            out = self.outgoing.read()
            for start in range(0, len(out), 4000):  # in several packets, as a server may
                part = out[start:start + 4000]
                self.sock.sendall(struct.pack(">BBHHBB", PRELOGIN, 1, len(part) + 8, 0, 1, 0) + part)
            if finished:
                self.tls = tls
                return
            head = self.raw(8)
            if head[0] != PRELOGIN:
                raise AssertionError("the handshake is not wrapped")
            self.incoming.write(self.raw(struct.unpack(">H", head[2:4])[0] - 8))


def environment(kind, new, old=b"\0"):
    body = bytes([kind]) + new + old
    return b"\xE3" + struct.pack("<H", len(body)) + body


def result_sets(sql):
    """The columns that a statement wants its rows to have."""
    wanted = sql.partition(" WITH RESULT SETS ((\n")[2].rpartition("\n));")[0]
    return [[name.replace("]]", "]"), kind] for name, kind in re.findall(r"^\[((?:[^\]]|\]\])+)\] (.+?) NULL,?$", wanted, re.M)]


class Server:
    """Listens until it is closed. `faults`: {number of a request, counted over all sessions from 0: what happens there}.

    A fault is ("error", number, message, severity), ("drop",), ("hang",) or ("route", host, port). `answers`: [(pattern, columns, rows)] before the built-in ones; without columns
    rows have those that the statement's WITH RESULT SETS names. A value in bytes is sent as it is.
    """

    def __init__(self, faults=None, answers=(), context=None, supports=True, packet=4096):
        self.faults, self.answers, self.context, self.supports, self.packet = dict(faults or {}), list(answers), context, supports, packet
        self.log, self.wrong, self.lock, self.hung = [], [], threading.Lock(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sessions = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes whoever waits at it
        self.listener.close()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.session, args=(sock,), daemon=True).start()

    def note(self, session, kind, **what):
        with self.lock:
            entry = {"n": len([e for e in self.log if e["kind"] in ("login", "batch", "bulk")]), "session": session, "kind": kind, **what}
            self.log.append(entry)
            return entry

    def batches(self, session=None):
        return [e["sql"] for e in self.log if e["kind"] == "batch" and session in (None, e["session"])]

    def session(self, sock):
        with self.lock:
            self.sessions += 1
            number = self.sessions
        try:
            Session(self, number, Pipe(sock)).run()
        except (Gone, ConnectionError, ssl.SSLError, OSError):
            pass
        except Exception as e:  # noqa: BLE001: whatever it is, the test must see it
            self.wrong.append(repr(e))
        finally:
            self.note(number, "end")
            sock.close()


class Session:
    def __init__(self, server, number, pipe):
        self.server, self.number, self.pipe = server, number, pipe
        self.packet, self.descriptor, self.table, self.bulk = 4096, 0, [], None

    def message(self):
        """Reads one message; checks the numbers of its packets."""
        data, kind = b"", None
        while True:
            head = self.pipe.read(8)
            now, status, length = head[0], head[1], struct.unpack(">H", head[2:4])[0]
            if kind not in (None, now):
                raise AssertionError(f"packet of kind {now} within a message of kind {kind}")
            if length > self.packet:
                raise AssertionError(f"packet of {length} bytes where {self.packet} were agreed")
            kind = now
            data += self.pipe.read(length - 8)
            if status & 1:
                return kind, data

    def send(self, data):
        for start in range(0, max(len(data), 1), self.packet - 8):
            part = data[start:start + self.packet - 8]
            last = start + self.packet - 8 >= len(data)
            self.pipe.write(struct.pack(">BBHHBB", 4, int(last), len(part) + 8, 51, 1, 0) + part)

    def run(self):
        kind, data = self.message()
        if kind != PRELOGIN:
            raise AssertionError("no PRELOGIN")
        wanted = self.options(data)[1][0]
        says = (ENCRYPTED if self.server.supports and wanted == ENCRYPTED else NOT_ENCRYPTED) if self.server.context else NOT_ENCRYPTED
        if self.server.context and wanted == NOT_ENCRYPTED:
            says = 3  # this server demands it
        self.send(self.prelogin(says))
        if says != NOT_ENCRYPTED:
            self.pipe.encrypt(self.server.context)
        kind, data = self.message()
        if kind != LOGIN:
            raise AssertionError("no LOGIN7")
        if not self.login(data):
            return
        while True:
            kind, data = self.message()
            if kind == BATCH:
                self.batch(data)
            elif kind == BULK:
                self.rows(data)
            elif kind == ATTENTION:
                self.server.note(self.number, "attention")
                self.send(b"\xFD" + struct.pack("<HHQ", 0x20, 0, 0))
            else:
                raise AssertionError(f"message of kind {kind}")

    @staticmethod
    def options(data):
        found, at = {}, 0
        while data[at] != 0xFF:
            number, place, length = struct.unpack(">BHH", data[at:at + 5])
            found[number] = data[place:place + length]
            at += 5
        return found

    @staticmethod
    def prelogin(encryption):
        options = [(0, bytes([16, 0, 0x03, 0xE8, 0, 0])), (1, bytes([encryption])), (2, b"\0"), (3, b""), (4, b"\0")]
        head, data = b"", b""
        for number, content in options:
            head += struct.pack(">BHH", number, 5 * len(options) + 1 + len(data), len(content))
            data += content
        return head + b"\xFF" + data

    def login(self, data):
        def text(at):
            place, length = struct.unpack("<HH", data[at:at + 4])
            return data[place:place + 2 * length]
        hidden = bytes(((b ^ 0xA5) << 4 & 0xF0) | ((b ^ 0xA5) >> 4) for b in text(44))
        size = struct.unpack("<I", data[8:12])[0]
        entry = self.server.note(self.number, "login", user=text(40).decode("utf-16le"), password=hidden.decode("utf-16le"), app=text(48).decode("utf-16le"),
                                 database=text(68).decode("utf-16le"), encrypted=self.pipe.tls is not None, version=struct.unpack("<I", data[4:8])[0])
        fault = self.server.faults.get(entry["n"])
        if fault and fault[0] == "drop":
            raise Gone
        if fault and fault[0] == "error":
            self.send(error(fault[1], fault[2], fault[3]) + done(err=True))
            return False
        ack = b"\x01" + b"\x74\x00\x00\x04" + b_var("Microsoft SQL Server") + bytes([12, 0, 0x07, 0xD0])
        answer = environment(1, b_var(entry["database"]), b_var("master")) + environment(7, b"\x05" + COLL, b"\0")
        answer += b"\xAD" + struct.pack("<H", len(ack)) + ack
        if fault and fault[0] == "route":
            where = struct.pack("<BH", 0, fault[2]) + us_var(fault[1])
            answer += environment(20, struct.pack("<H", len(where)) + where, b"\0\0")
        agreed = min(size or 4096, self.server.packet)
        answer += environment(4, b_var(str(agreed)), b_var("4096"))
        self.send(answer + done())
        self.packet = agreed
        return True

    def fails(self, entry):
        """Does what a test wants to happen at a request; tells whether that was it."""
        fault = self.server.faults.get(entry["n"])
        if not fault:
            return False
        if fault[0] == "drop":
            raise Gone
        if fault[0] == "hang":
            self.server.hung.set()
            kind, _ = self.message()
            self.server.note(self.number, "attention" if kind == ATTENTION else "impatience")
            self.send(self.rolled_back() + b"\xFD" + struct.pack("<HHQ", 0x20, 0, 0))
            return True
        # An error takes the transaction back (XACT_ABORT).
        self.send(error(fault[1], fault[2], fault[3]) + self.rolled_back() + done(err=True))
        return True

    def rolled_back(self):
        if not self.descriptor:
            return b""
        old, self.descriptor = self.descriptor, 0
        return environment(10, b"\0", b"\x08" + struct.pack("<Q", old))

    def headers(self, data):
        """Checks the headers of a request: they name the transaction that is open."""
        length = struct.unpack("<I", data[:4])[0]
        size, kind, descriptor, outstanding = struct.unpack("<IHQI", data[4:22])
        if (size, kind, descriptor, outstanding) != (18, 2, self.descriptor, 1):
            raise AssertionError(f"transaction descriptor {descriptor} where {self.descriptor} is open")
        return data[length:]

    def batch(self, data):
        sql = self.headers(data).decode("utf-16le")
        entry = self.server.note(self.number, "batch", sql=sql)
        if self.fails(entry):
            return
        self.send(self.answer(sql))

    def answer(self, sql):
        lines = [line.strip() for line in sql.split("\n")]
        for pattern, columns, rows in self.server.answers:
            if re.search(pattern, sql, re.S):
                rows = rows() if callable(rows) else rows
                return rowset(columns or result_sets(sql), rows) + done(len(rows))
        if "sp_getapplock" in sql:
            return rowset([["taken", "int"]], [[0]]) + done(1)
        if "CURRENT_TRANSACTION_ID()" in sql:
            return rowset([["number", "bigint"]], [[4711 if self.descriptor else None]]) + done(1)
        if made := re.search(r"CREATE TABLE #pipe_rows \((.*)\);$", sql):
            self.table = [(name, kind.strip()) for name, kind in re.findall(r"(c\d+) (\w+(?:\([^)]*\))?) NULL", made[1])]
            return done()
        if sql == "SELECT TOP 0 * FROM #pipe_rows":
            return rowset([[name, kind] for name, kind in self.table], []) + done(0)
        if loaded := re.fullmatch(r"INSERT BULK #pipe_rows \((.*)\)", sql):
            self.bulk = re.findall(r"\[(c\d+)\] (\w+(?:\([^)]*\))?)", loaded[1])
            if [name for name, _ in self.bulk] != [name for name, _ in self.table]:
                raise AssertionError(f"{sql} for {self.table}")
            return done()
        if "BEGIN TRANSACTION;" in lines or sql == "BEGIN TRANSACTION":
            if self.descriptor:
                raise AssertionError("a transaction within another")
            self.descriptor = 0x1100000000 + self.number
            return environment(8, b"\x08" + struct.pack("<Q", self.descriptor), b"\0") + done()
        if sql == "ROLLBACK":
            return self.rolled_back() + done() if self.descriptor else error(3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.") + done(err=True)
        if sql == "COMMIT" or "COMMIT TRANSACTION;" in lines:
            old, self.descriptor = self.descriptor, 0
            if not old:
                return error(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.") + done(err=True)
            return environment(9, b"\0", b"\x08" + struct.pack("<Q", old)) + done()
        return done()

    def rows(self, data):
        """Reads the rows of a bulk load, whose columns describe themselves."""
        reader, columns, rows = Reader(data), [], []
        if self.bulk is None:
            raise AssertionError("a bulk load that nobody has announced")
        while True:
            token = reader.u8()
            if token == 0x81:
                for _ in range(reader.n("<H")):
                    reader.take(6)
                    kind = type_info(reader)
                    columns.append((kind, reader.take(reader.u8() * 2).decode("utf-16le")))
            elif token == 0xD1:
                rows.append([value(reader, kind) for kind, _ in columns])
            elif token == 0xFD:
                break
            else:
                raise AssertionError(f"token {token:#x} among the rows")
        if [name for _, name in columns] != [name for name, _ in self.bulk]:
            raise AssertionError(f"columns {columns} where {self.bulk} were announced")
        self.bulk = None
        entry = self.server.note(self.number, "bulk", types=[name_of(kind) for kind, _ in columns], rows=rows)
        if not self.fails(entry):
            self.send(done(len(rows)))

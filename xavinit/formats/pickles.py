"""A small interpreter of pickles, which makes plain data and calls nothing.

A pickle is a program; Python's own reader imports and calls whatever it names. This one knows the
opcodes of plain data alone. A global is looked up by its name in the caller's closed table, and a
call of it makes a value of ours. Any other opcode or global is refused by its name.

Limits, each of which ends in a message: the opcodes (each makes at most one value, so that they
bound the memo and the stack), the values that calls copy, the marks within marks. The caller bounds
the text.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from typing import Any

from xavinit.formats.pickle_values import PLAIN, Constructors, Global, Pairs, RefusedError
from xavinit.wording import cut

MOST_OPCODES = 4_000_000  # a tensor takes some 45
MOST_COPIED = 4_000_000  # values that calls take: a set of a list copies it each time
_LONGEST_SIZES = 32  # values of a tuple that is not counted: a tensor has two
DEEPEST_MARKS = 1_000  # containers within containers that are being made
LONGEST_GLOBAL = 1_000  # bytes of its module, and of its name
_NEWEST = 5  # protocol


def parse_pickle(
    text: bytes | bytearray, globals: Constructors, find_storage: Callable[[Any], Any]
) -> Any:
    """The value of a pickle: None, bool, int, float, str, list, tuple, `Pairs`, or of a global.

    `find_storage` takes the identifier of what lies outside the pickle. Raises `RefusedError`, and
    `ValueError` where the pickle is damaged.
    """
    machine = _Machine(text, globals, find_storage)
    try:
        return machine.run()
    except (IndexError, struct.error):
        raise ValueError("it is cut short") from None
    except UnicodeDecodeError:
        raise ValueError("a text in it is not UTF-8") from None


class _Machine:
    def __init__(
        self, text: bytes | bytearray, globals: Constructors, find_storage: Callable[[Any], Any]
    ) -> None:
        self._text = text
        self._place = 0
        self._globals = globals
        self._find_storage = find_storage
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []  # the stacks below the marks
        self._memo: dict[int, Any] = {}
        self._copied = 0

    def run(self) -> Any:
        text, opcodes = self._text, _OPCODES
        for _ in range(MOST_OPCODES):
            code = text[self._place]
            self._place += 1
            if code == _STOP:
                if len(self._stack) != 1 or self._outer:
                    raise ValueError("it does not end with one value")
                return self._stack[0]
            opcode = opcodes.get(code)
            if opcode is None:
                raise RefusedError(f"the opcode {_name_opcode(code)}")
            opcode(self)
        raise ValueError(f"it has over {MOST_OPCODES:,} opcodes")

    def _take(self, count: int) -> bytes | bytearray:
        """The next bytes of the text."""
        start = self._place
        self._place += count
        if self._place > len(self._text):
            raise IndexError
        return self._text[start : self._place]

    def _take_number(self, count: int) -> int:
        return int.from_bytes(self._take(count), "little")

    def _take_line(self) -> str:
        end = self._text.find(b"\n", self._place, self._place + LONGEST_GLOBAL)
        if end < 0:
            raise ValueError("the name of a global has no end")
        return self._take(end + 1 - self._place)[:-1].decode()

    def start(self) -> None:
        if (protocol := self._take_number(1)) > _NEWEST:
            raise ValueError(f"its protocol is {protocol}")

    def skip_frame(self) -> None:
        self._take(8)  # a frame is no value: it says how far to read ahead

    # Values

    def push_long(self) -> None:
        content = self._take(self._take_number(1))
        self._stack.append(int.from_bytes(content, "little", signed=True))

    def push_integer(self) -> None:
        self._stack.append(int.from_bytes(self._take(4), "little", signed=True))

    def push_float(self) -> None:
        self._stack += struct.unpack(">d", self._take(8))

    def push_dict(self) -> None:
        self._stack.append(Pairs())

    def push_list(self) -> None:
        self._stack.append([])

    # Containers

    def mark(self) -> None:
        if len(self._outer) >= DEEPEST_MARKS:
            raise ValueError(f"it is nested over {DEEPEST_MARKS:,} deep")
        self._outer.append(self._stack)
        self._stack = []

    def _pop_marked(self) -> list[Any]:
        values, self._stack = self._stack, self._outer.pop()
        return values

    def make_tuple(self) -> None:
        values = tuple(self._pop_marked())
        self._stack.append(values)

    def _make_short_tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise IndexError
        self._stack[-count:] = [tuple(self._stack[-count:])]

    def append(self) -> None:
        self._extend([self._stack.pop()])

    def append_marked(self) -> None:
        self._extend(self._pop_marked())

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise ValueError("it adds values to what is no list")
        target += values

    def set_item(self) -> None:
        if len(self._stack) < 3:
            raise IndexError
        pair = self._stack[-2:]
        del self._stack[-2:]
        self._set_items(pair)

    def set_marked(self) -> None:
        self._set_items(self._pop_marked())

    def _set_items(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not Pairs or len(values) % 2:
            raise ValueError("it sets keys of what is no dict")
        target.pairs += zip(values[::2], values[1::2], strict=True)

    def freeze(self) -> None:
        """A frozen set: its values in a list, since it may hold tensors too."""
        values = self._pop_marked()
        self._stack.append(values)

    # The memo

    def put(self, count: int) -> None:
        self._memo[self._take_number(count)] = self._stack[-1]

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, count: int) -> None:
        number = self._take_number(count)
        if number not in self._memo:
            raise ValueError("it asks for a value that it has not made")
        self._stack.append(self._memo[number])

    # Globals

    def push_global(self) -> None:
        self._find_global(self._take_line(), self._take_line())

    def push_stacked_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("the name of a global is no text")
        self._find_global(module, name)

    def _find_global(self, module: str, name: str) -> None:
        if module == "__builtin__":  # Python 2's, which protocol 2 keeps
            module = "builtins"
        full = f"{module}.{name}"
        if full not in self._globals:
            raise RefusedError(f"the global {cut(full)}")
        self._stack.append(Global(full))

    def call(self) -> None:
        args, function = self._stack.pop(), self._stack[-1]
        if type(function) is not Global or type(args) is not tuple:
            raise ValueError("it calls what is no global")
        construct = self._globals[function.name]
        if construct is None:
            raise RefusedError(f"a call of {function.name}")
        self._copied += _count(args, 2)
        if self._copied > MOST_COPIED:
            raise ValueError(f"its calls take over {MOST_COPIED:,} values")
        try:
            self._stack[-1] = construct(args)
        except (TypeError, KeyError):
            raise ValueError(f"{function.name} takes other arguments") from None

    def find_persistent(self) -> None:
        self._stack[-1] = self._find_storage(self._stack[-1])

    def set_state(self) -> None:
        """The attributes of a dict or a tensor: no values of it, so they are dropped."""
        self._stack.pop()
        if type(self._stack[-1]) in (Global, list, tuple, str, int, float, bool, type(None)):
            raise ValueError("it sets attributes of what has none")


def _count(value: object, depth: int) -> int:
    """How many values a call may copy or look at: those of a list, a dict or a long tuple."""
    value = value.pairs if type(value) is Pairs else value
    if isinstance(value, list) or (isinstance(value, tuple) and len(value) > _LONGEST_SIZES):
        return len(value)
    if isinstance(value, tuple) and depth:
        return sum(_count(item, depth - 1) for item in value)
    return 0


_STOP = ord(".")


def _push(value: Any) -> Callable[[_Machine], None]:
    return lambda machine: machine._stack.append(value)


def _push_number(count: int) -> Callable[[_Machine], None]:
    return lambda machine: machine._stack.append(machine._take_number(count))


def _push_text(count: int) -> Callable[[_Machine], None]:
    """A text whose length takes so many bytes."""

    def push(machine: _Machine) -> None:
        content = machine._take(machine._take_number(count))
        machine._stack.append(content.decode("utf-8", "surrogatepass"))

    return push


def _push_bytes(count: int) -> Callable[[_Machine], None]:
    def push(machine: _Machine) -> None:
        machine._take(machine._take_number(count))
        machine._stack.append(PLAIN)

    return push


def _name_opcode(code: int) -> str:
    return next(
        (known.name for known in pickletools.opcodes if ord(known.code) == code), f"0x{code:02x}"
    )


_NAMED: dict[str, Callable[[_Machine], None]] = {
    "PROTO": _Machine.start,
    "FRAME": _Machine.skip_frame,
    "NONE": _push(None),
    "NEWTRUE": _push(True),
    "NEWFALSE": _push(False),
    "BININT": _Machine.push_integer,
    "BININT1": _push_number(1),
    "BININT2": _push_number(2),
    "LONG1": _Machine.push_long,
    "BINFLOAT": _Machine.push_float,
    "SHORT_BINUNICODE": _push_text(1),
    "BINUNICODE": _push_text(4),
    "BINUNICODE8": _push_text(8),
    "SHORT_BINBYTES": _push_bytes(1),
    "BINBYTES": _push_bytes(4),
    "BINBYTES8": _push_bytes(8),
    "BYTEARRAY8": _push_bytes(8),
    "MARK": _Machine.mark,
    "EMPTY_TUPLE": _push(()),
    "TUPLE": _Machine.make_tuple,
    "TUPLE1": lambda machine: machine._make_short_tuple(1),
    "TUPLE2": lambda machine: machine._make_short_tuple(2),
    "TUPLE3": lambda machine: machine._make_short_tuple(3),
    "EMPTY_LIST": _Machine.push_list,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append_marked,
    "EMPTY_SET": _Machine.push_list,
    "ADDITEMS": _Machine.append_marked,
    "FROZENSET": _Machine.freeze,
    "EMPTY_DICT": _Machine.push_dict,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_marked,
    "BINPUT": lambda machine: machine.put(1),
    "LONG_BINPUT": lambda machine: machine.put(4),
    "MEMOIZE": _Machine.memoize,
    "BINGET": lambda machine: machine.get(1),
    "LONG_BINGET": lambda machine: machine.get(4),
    "GLOBAL": _Machine.push_global,
    "STACK_GLOBAL": _Machine.push_stacked_global,
    "REDUCE": _Machine.call,
    "BINPERSID": _Machine.find_persistent,
    "BUILD": _Machine.set_state,
}
_OPCODES = {
    ord(known.code): _NAMED[known.name] for known in pickletools.opcodes if known.name in _NAMED
}

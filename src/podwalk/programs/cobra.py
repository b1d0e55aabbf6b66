"""Flags, help and error texts of a program built with Cobra, for the part that agnhost needs."""

from __future__ import annotations

import os

from podwalk.programs import gotext

TYPE_CHECKING = False  # typing and collections.abc are slow to import, and only the type checker needs them
if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[list[str], dict[str, str]], None]


class Flag:
    """One flag: ``kind`` is int, string, bool or duration; ``default`` is kept as text."""

    def __init__(self, name: str, kind: str, default: str, usage: str, shorthand: str = "") -> None:
        self.name, self.kind, self.default, self.usage, self.shorthand = name, kind, default, usage, shorthand


class Command:
    """One subcommand. ``arguments`` is the exact number of positional arguments, or -1 for any (flags unparsed too).

    ``lingers``: it calls gotext.handle_signals by itself, because it has something to do before it ends. Until then a
    signal waits for it.
    """

    def __init__(
        self,
        use: str,
        short: str,
        long: str,
        run: Run,
        flags: tuple[Flag, ...] = (),
        arguments: int = 0,
        lingers: bool = False,
    ) -> None:
        self.use, self.short, self.long = use, short, long
        self.run, self.flags, self.arguments, self.lingers = run, flags, arguments, lingers

    @property
    def name(self) -> str:
        """The word that selects the command."""
        return self.use.split()[0]


class UsageError(Exception):
    """A wrong command line; the text is Cobra's."""


# klog's flags are persistent in agnhost; the tests pass them, nothing depends on them.
_LOGGING = {
    "add_dir_header": "bool", "alsologtostderr": "bool", "log_backtrace_at": "string", "log_dir": "string",
    "log_file": "string", "log_file_max_size": "int", "logtostderr": "bool", "one_output": "bool",
    "skip_headers": "bool", "skip_log_headers": "bool", "stderrthreshold": "string", "v": "string",
    "vmodule": "string",
}  # fmt: skip


def execute(program: str, version: str, commands: tuple[Command, ...], arguments: list[str]) -> None:
    """Run the subcommand that ``arguments`` name, or print help; ends with SystemExit 1 on a wrong command line."""
    found = next((command for command in commands if arguments and command.name == arguments[0]), None)
    if found is None or not found.lingers:
        gotext.handle_signals()
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        _help(program, commands, arguments[1:] if arguments[:1] == ["help"] else [])
        return
    if arguments[0] == "--version":
        gotext.write(1, f"{program} version {version}\n")
        return
    if found is None:
        if arguments[0].startswith("-"):
            _fail(f"unknown flag: {arguments[0].split('=')[0]}", _root_usage(program, commands))
        _fail(
            f"unknown command {gotext.quote(arguments[0])} for {gotext.quote(program)}",
            f"Run '{program} --help' for usage.",
        )
        return
    if found.arguments < 0:
        found.run(arguments[1:], {})
        return
    try:
        flags, rest = parse(found.flags, arguments[1:])
        _count(found, rest, flags)
    except UsageError as problem:
        _fail(str(problem), usage(program, found))
        return
    if flags.get("help") == "true":
        gotext.write(1, f"{found.long.rstrip()}\n\n{usage(program, found)}")
        return
    found.run(rest, flags)


def _count(command: Command, rest: list[str], flags: dict[str, str]) -> None:
    if len(rest) == command.arguments or flags.get("help") == "true":
        return
    wanted = f"{command.arguments} arg(s)" if command.arguments else "at most 0 arg(s)"
    raise UsageError(f"accepts {wanted}, received {len(rest)}")


def parse(known: tuple[Flag, ...], arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the flags' values (defaults filled in) and the positional arguments. Raises UsageError."""
    kinds = {flag.name: flag.kind for flag in known} | _LOGGING | {"help": "bool"}
    short = {flag.shorthand: flag.name for flag in known if flag.shorthand} | {"h": "help", "v": "v"}
    values = {flag.name: flag.default for flag in known}
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return values, rest + waiting
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, equals, value = _split(word, short, kinds)
        shown = word.split("=")[0] if word.startswith("--") else f"{word[1]!r} in {word}"
        if not equals and kinds[name] == "bool":
            value = "true"
        elif not equals:
            if not waiting:
                raise UsageError(f"flag needs an argument: {shown}")
            value = waiting.pop(0)
        values[name] = _checked(name, kinds[name], value)
    return values, rest


def _split(word: str, short: dict[str, str], kinds: dict[str, str]) -> tuple[str, bool, str]:
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        if name not in kinds:
            raise UsageError(f"unknown flag: --{name}")
        return name, bool(equals), value
    if word[1] not in short:
        raise UsageError(f"unknown shorthand flag: {word[1]!r} in {word}")
    value = word[2:].removeprefix("=")
    return short[word[1]], bool(value), value


def _checked(name: str, kind: str, value: str) -> str:
    try:
        if kind == "int":
            gotext.atoi(value)
        elif kind == "duration":
            gotext.parse_duration(value)
        elif kind == "bool":
            if value not in ("1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"):
                raise ValueError(f"strconv.ParseBool: parsing {gotext.quote(value)}: invalid syntax")
            return "true" if value[0] in "1tT" else "false"
    except ValueError as problem:
        reason = str(problem).replace("strconv.Atoi", "strconv.ParseInt")
        raise UsageError(
            f"invalid argument {gotext.quote(value)} for {gotext.quote('--' + name)} flag: {reason}"
        ) from None
    return value


def usage(program: str, command: Command) -> str:
    """Return the usage text of a subcommand."""
    own_help = Flag("help", "bool", "false", f"help for {command.name}", "h")
    flags = sorted((*command.flags, own_help), key=lambda flag: flag.name)
    heads = []
    for flag in flags:
        kind = "" if flag.kind == "bool" else f" {flag.kind}"
        heads.append((f"  -{flag.shorthand}, " if flag.shorthand else "      ") + f"--{flag.name}{kind}")
    width = max(map(len, heads)) + 3
    lines = [f"{head:<{width}}{flag.usage}{_default(flag)}" for head, flag in zip(heads, flags, strict=True)]
    return f"Usage:\n  {program} {command.use} [flags]\n\nFlags:\n" + "\n".join(lines) + "\n"


def _default(flag: Flag) -> str:
    if flag.default in ("", "0", "0s", "false"):
        return ""
    return f" (default {gotext.quote(flag.default)})" if flag.kind == "string" else f" (default {flag.default})"


def _root_usage(program: str, commands: tuple[Command, ...]) -> str:
    listed = sorted([(c.name, c.short) for c in commands] + [("help", "Help about any command")])
    width = max(len(name) for name, _ in listed)
    lines = "\n".join(f"  {name:<{width}} {short}" for name, short in listed)
    flags = f"  -h, --help      help for {program}\n      --version   version for {program}\n"
    more = f'Use "{program} [command] --help" for more information about a command.\n'
    return f"Usage:\n  {program} [command]\n\nAvailable Commands:\n{lines}\n\nFlags:\n{flags}\n{more}"


def _help(program: str, commands: tuple[Command, ...], topic: list[str]) -> None:
    found = next((command for command in commands if topic and command.name == topic[0]), None)
    gotext.write(1, f"{found.long.rstrip()}\n\n{usage(program, found)}" if found else _root_usage(program, commands))


def _fail(message: str, advice: str) -> None:
    gotext.write(2, f"Error: {message}\n{advice.rstrip()}\n\n")
    os._exit(1)

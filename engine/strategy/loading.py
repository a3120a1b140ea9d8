"""Finding strategy classes and building their parameters: the door through which other people's code comes in.

A strategy is named by `module:Class`, by `./file.py:Class` or by the name of an installed entry point. What goes wrong
here goes wrong in an author's file or in the configuration, so every error says which, and where in it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar, get_type_hints

import attrs
from attrs import frozen

from engine.errors import StrategyError
from engine.settings import StrategySettings
from engine.strategy.api import Strategy
from engine.tables import nearest, structure, type_name

T = TypeVar("T")

GROUP: Final = "engine.strategies"

StrategyClass = type[Strategy[Any]]


@frozen(kw_only=True)
class Loaded:
    """A strategy ready to be made: `strategy_class(ctx, params)`. `file` holds its source, for the manifest."""

    name: str
    strategy_class: StrategyClass
    params: Any
    file: Path


@frozen(kw_only=True)
class Parameter:
    """One parameter: its type as written, and its default; `required` ones have none."""

    name: str
    type: str
    required: bool
    default: Any = None


@frozen(kw_only=True)
class Installed:
    """One entry point of the group `engine.strategies`; `problem` says why it can't be used, None if it can."""

    name: str
    use: str
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()
    problem: str | None = None


def load(settings: StrategySettings, source: Path) -> Loaded:
    """Find a strategy's class and build its parameters.

    The folder of the configuration leads the import path from then on.

    Args:
        settings: One `[[strategy]]` table.
        source: The configuration file; relative files are looked for beside it.

    Raises: StrategyError if the class can't be had; ConfigError if a parameter is wrong.
    """
    key = f"strategy.{settings.name}"
    found = find(settings.use, folder=source.parent, place=f"{source}: {key}.use")
    params_class = _params_class(found, settings.use, f"{source}: {key}.use")
    params = structure(settings.params, params_class, file=source, key=f"{key}.params", folder=source.parent)
    return Loaded(name=settings.name, strategy_class=found, params=params, file=Path(inspect.getfile(found)))


def find(use: str, *, folder: Path, place: str) -> StrategyClass:
    """Find a strategy class by `module:Class`, `./file.py:Class` or an installed name.

    Raises: StrategyError, placed at `place`.
    """
    head = str(folder.resolve())
    if sys.path[:1] != [head]:
        sys.path.insert(0, head)
    where, colon, name = use.rpartition(":")
    if not colon:
        entry = _entry(use, place)
        where, _, name = entry.value.partition(":")
    if not where or not name.isidentifier():
        raise StrategyError(f"{use!r} must be written module:Class, ./file.py:Class, or an installed name", place=place)
    module = _file(folder / where, use, place) if where.endswith(".py") else _module(where, use, place)
    return _class(module, name, use, place)


def installed() -> tuple[Installed, ...]:
    """Describe every installed strategy, by name; one that can't be imported is listed with the reason."""
    return tuple(_describe(entry) for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name))


def _entry(name: str, place: str) -> EntryPoint:
    known = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    for entry in known:
        if entry.name == name:
            return entry
    hint = nearest(name, [entry.name for entry in known])
    raise StrategyError(f"no strategy named {name!r} is installed{hint}", place=place)


def _file(path: Path, use: str, place: str) -> ModuleType:
    """Import a file under a name of its own, so that two authors' `mine.py` don't meet; once for each content."""
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise StrategyError(f"{use}: the file {path} can't be read: {exc.strerror}", place=place) from exc
    digest = hashlib.sha256(str(path.resolve()).encode() + b"\0" + content).hexdigest()[:16]
    name = f"_strategy_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise StrategyError(f"{use}: {path} is no Python file", place=place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # attrs looks a class's type hints up there
    try:
        # Compiled from what was read: the import system's cache knows a file by its size and second, and would run an
        # old strategy right after an edit.
        _guarded(lambda: exec(compile(content, str(path), "exec"), module.__dict__), use, place)
    except StrategyError:
        del sys.modules[name]
        raise
    return module


def _module(name: str, use: str, place: str) -> ModuleType:
    importlib.invalidate_caches()  # the file may be younger than the last look into its folder
    try:
        return _guarded(lambda: importlib.import_module(name), use, place)
    except StrategyError as exc:
        cause = exc.__cause__
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            raise StrategyError(f"{use}: there is no module {missing}", place=place) from cause
        raise


def _guarded(call: Callable[[], T], use: str, place: str) -> T:
    """Run an author's module; whatever it raises becomes a sentence with file and line."""
    try:
        return call()
    except (Exception, SystemExit) as exc:
        at = _line(exc)
        said = exc.msg if isinstance(exc, SyntaxError) else str(exc)
        raise StrategyError(f"{use} can't be imported: {type(exc).__name__}: {said}{at}", place=place) from exc


def _line(exc: BaseException) -> str:
    """Say where in an author's file an import went wrong: the innermost frame that is not the import system's."""
    if isinstance(exc, SyntaxError) and exc.filename is not None:
        return f" ({exc.filename}, line {exc.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(exc.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def _class(module: ModuleType, name: str, use: str, place: str) -> StrategyClass:
    found = getattr(module, name, None)
    file = module.__file__
    if found is None:
        usable = [key for key, value in vars(module).items() if _is_strategy(value)]
        raise StrategyError(f"{use}: there is no class {name} in {file}{nearest(name, usable)}", place=place)
    if not _is_strategy(found):
        at = f" ({file}, line {inspect.getsourcelines(found)[1]})" if inspect.isclass(found) else f" ({file})"
        raise StrategyError(f"{use}: {name} is no class derived from engine.strategy.api.Strategy{at}", place=place)
    strategy_class: StrategyClass = found
    return strategy_class


def _is_strategy(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Strategy) and value is not Strategy


def _params_class(found: StrategyClass, use: str, place: str) -> type[Any]:
    params = found.Params
    if not (inspect.isclass(params) and attrs.has(params)):
        file = inspect.getfile(found)
        raise StrategyError(f"{use}: {found.__name__}.Params is no attrs class ({file})", place=place)
    try:
        get_type_hints(params)
    except NameError as exc:
        file = inspect.getfile(params)
        raise StrategyError(f"{use}: a type in {params.__name__} is unknown: {exc} ({file})", place=place) from exc
    return params


def _describe(entry: EntryPoint) -> Installed:
    place = f"entry point {entry.name}"
    where, _, name = entry.value.partition(":")
    try:
        found = _class(_module(where, entry.value, place), name, entry.value, place)
        params = _params_class(found, entry.value, place)
    except StrategyError as exc:
        return Installed(name=entry.name, use=entry.value, problem=exc.problem)
    summary = (inspect.getdoc(found) or "").partition("\n")[0]
    return Installed(name=entry.name, use=entry.value, summary=summary, parameters=_parameters(params))


def _parameters(params: type[Any]) -> tuple[Parameter, ...]:
    hints = get_type_hints(params)
    return tuple(
        Parameter(
            name=attribute.alias,
            type=type_name(hints.get(attribute.name, Any)),
            required=attribute.default is attrs.NOTHING,
            default=_default(attribute.default),
        )
        for attribute in attrs.fields(params)
        if attribute.init
    )


def _default(value: Any) -> Any:
    if value is attrs.NOTHING:
        return None
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # a class at run time, a function to mypy
        return None if value.takes_self else value.factory()
    return value

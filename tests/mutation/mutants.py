"""Mutants of a module: mutmut makes them, mypy sorts out those that no test has to notice, and one is put in at a time.

Of mutmut only the mutations are used: its own runner starts pytest anew for each mutant, and sends every call through a
wrapper. Here a mutant is a function whose code takes the place of the original's.
"""

from __future__ import annotations

import importlib
import json
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

import libcst as cst
from attrs import frozen
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import (
    Mutation,
    combine_mutations_to_source,
    create_mutations,
    group_by_top_level_node,
)
from mutmut.mutation.trampoline_templates import mangle_function_name

from tests.mutation.exchanging import exchange, forget_calls

# What mypy says of every copy of a method (`no-redef`), or of code that is odd but sound, is no verdict on a mutant.
_TYPE_ERRORS: Final = frozenset(
    {"arg-type", "assignment", "call-arg", "call-overload", "dict-item", "index", "list-item", "operator"}
    | {"return-value", "union-attr"}
)


@frozen
class Mutant:
    """One fault: in `module`, at `line`, the function `name` (`Class.method` or `function`) has `now` for `was`.

    `copy` is the name of the faulty function among the module's mutants, `original` that of the sound one, whose text
    `digest` stands for.
    """

    module: str
    name: str
    number: int
    line: int
    was: str
    now: str
    copy: str
    original: str
    digest: str

    @property
    def key(self) -> str:
        """The same in every run, as long as the function is not changed."""
        return f"{self.module}:{self.name}#{self.number}"


@frozen
class Mutated:
    """A module with all its mutants: one source text, in which each is a function and has its span of lines."""

    path: Path
    source: str
    spans: dict[str, range]
    mutants: tuple[Mutant, ...]


def mutate(path: Path, folder: Path) -> Mutated:
    """The mutants of one module, made once for each text of it; `path` is relative to the project."""
    text = path.read_bytes()
    kept = folder / f"{path.stem}-{sha256(text).hexdigest()[:16]}.pickle"
    if not kept.exists():
        kept.write_bytes(pickle.dumps(_mutate(path, text.decode())))
    made = pickle.loads(kept.read_bytes())
    assert isinstance(made, Mutated)
    return made


def _mutate(path: Path, text: str) -> Mutated:
    tree, faults, classes, functions = create_mutations(str(path), text)
    faults = [fault for fault in faults if not _another_spelling(fault)]
    places = MetadataWrapper(tree, unsafe_skip_copy=True).resolve(PositionProvider)
    owners = {
        method: each.name.value for each in tree.body if isinstance(each, cst.ClassDef) for method in each.body.body
    }
    mutants = []
    for function, its_faults in group_by_top_level_node(faults).items():
        if not isinstance(function, cst.FunctionDef):
            continue  # a line of a class's body
        owner, name = owners.get(function), function.name.value
        mangled = mangle_function_name(name=name, class_name=owner)
        digest = sha256(tree.code_for_node(function).strip().encode()).hexdigest()[:12]
        for number, fault in enumerate(its_faults, start=1):
            mutant = Mutant(
                module=".".join(path.with_suffix("").parts),
                name=f"{owner}.{name}" if owner else name,
                number=number,
                line=places[fault.original_node if fault.original_node in places else function].start.line,
                was=tree.code_for_node(fault.original_node),
                now=tree.code_for_node(fault.mutated_node),
                copy=f"{mangled}__mutmut_{number}",
                original=f"{mangled}__mutmut_orig",
                digest=digest,
            )
            mutants.append(mutant)
    made = combine_mutations_to_source(tree, faults, classes, functions)
    spans = {name: range(span.start, span.end + 1) for name, span in made.line_span_by_function_name.items()}
    return Mutated(path, made.code, spans, tuple(mutants))


def _another_spelling(fault: Mutation) -> bool:
    """A text in capitals or in small letters: the mutant with other letters around it says the same."""
    was, now = fault.original_node, fault.mutated_node
    return isinstance(was, cst.SimpleString) and isinstance(now, cst.SimpleString) and "XX" not in now.value


def mistyped(modules: Sequence[Mutated], folder: Path) -> set[str]:
    """Keys of the mutants that mypy refuses, as `make test` would before any test runs. Writes into `folder`."""
    command = [sys.executable, "-m", "mypy", "--output", "json", "--cache-dir", str(folder / "mypy")]
    for each in modules:
        shadow = folder / each.path
        shadow.parent.mkdir(parents=True, exist_ok=True)
        shadow.write_text(each.source, encoding="utf-8")
        command += ["--shadow-file", str(each.path), str(shadow)]
    said = subprocess.run(
        [*command, *(str(each.path) for each in modules)], capture_output=True, text=True, check=False
    )
    if said.returncode > 1:
        raise SystemExit(f"mypy could not look at the mutants: {said.stdout or said.stderr}")
    errors: dict[str, list[tuple[int, str]]] = {}
    for error in map(json.loads, said.stdout.splitlines()):
        if error["code"] in _TYPE_ERRORS:
            errors.setdefault(error["file"], []).append((error["line"], error["message"]))
    return {mutant.key for each in modules for mutant in _refused(each, errors.get(str(each.path), ()))}


def _refused(module: Mutated, errors: Iterable[tuple[int, str]]) -> Iterator[Mutant]:
    """Those in whose lines stands an error that the copy of the original does not have."""
    said: dict[str, set[str]] = {name: set() for name in module.spans}
    owner = {line: name for name, lines in module.spans.items() for line in lines}
    for line, message in errors:
        if line in owner:
            said[owner[line]].add(message)
    return (mutant for mutant in module.mutants if said[mutant.copy] - said[mutant.original])


def load(module: Mutated) -> ModuleType:
    """Run the module of all mutants, beside the real one: what imports the real one is not changed."""
    name = f"mutants_of_{module.path.stem}"
    made = sys.modules[name] = ModuleType(name)
    exec(compile(module.source, str(module.path), "exec"), made.__dict__)
    return made


def put_in(mutant: Mutant, made: ModuleType) -> bool:
    """Give the real function the mutant's code, in this process; False where both come to the same bytecode."""
    owner, _, name = mutant.name.rpartition(".")
    real, copies = importlib.import_module(mutant.module), made
    place: Any = getattr(real, owner) if owner else real
    source: Any = getattr(copies, owner) if owner else copies
    target, faulty, sound = (
        _function(vars(at)[its]) for at, its in ((place, name), (source, mutant.copy), (source, mutant.original))
    )
    if _meaning(faulty) == _meaning(sound):
        return False
    exchange(target, faulty, sound)
    forget_calls(mutant.module.partition(".")[0])
    return True


def _function(found: Any) -> FunctionType:
    function = found.__func__ if isinstance(found, staticmethod | classmethod) else found
    assert isinstance(function, FunctionType)
    return function


def _meaning(function: FunctionType) -> tuple[object, ...]:
    code = function.__code__
    return (code.co_code, code.co_consts, code.co_names, function.__defaults__, function.__kwdefaults__)

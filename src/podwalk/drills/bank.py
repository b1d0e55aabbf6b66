"""The bank: all questions there are, from drills/questions and from the learner's own folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from podwalk.drills import judge, schema
from podwalk.drills.model import (
    LAYERS,
    LEVELS,
    TYPES,
    Artifact,
    Choice,
    Drill,
    Numeric,
    Order,
    Point,
    Predict,
    Question,
    QuestionError,
    Spot,
    Trap,
    Words,
)

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Bank:
    """Questions by id, in the order in which they are first asked within their layer."""

    questions: dict[str, Question] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions.values())

    def __len__(self) -> int:
        return len(self.questions)

    def get(self, name: str) -> Question:
        """A question by its id. Raises QuestionError."""
        if name not in self.questions:
            raise QuestionError(f"there is no question {name}; see: podwalk drill list")
        return self.questions[name]

    def select(self, layers: Iterable[str] = (), levels: Iterable[str] = (), types: Iterable[str] = ()) -> Bank:
        """Those of some layers, levels and types; none named means all."""
        wanted = [(set(layers), "layer"), (set(levels), "level"), (set(types), "type")]
        kept = {q.id: q for q in self if all(not names or getattr(q, of) in names for names, of in wanted)}
        return Bank(kept)


def load(root: Path, own: Path | None = None) -> Bank:
    """The questions of the course at ``root``, and those in the learner's own folder. Raises QuestionError.

    The schema speaks only where something cannot be read: jsonschema takes longer to import than all questions to
    read. The tests, ``podwalk drill check`` and ``import`` validate files in full. The learner's own may have been
    edited since, so every other rule is looked at.
    """
    found: dict[str, Question] = {}
    references = _references(root)
    files = [(path, False) for path in sorted((root / "drills" / "questions").glob("*.yaml"))]
    files += [(path, True) for path in (sorted(own.glob("*.yaml")) if own is not None else [])]
    for path, mine in files:
        for question in read_file(path, root, references, strict=False):
            if mine and (wrong := judge.wrong_with(question)):
                raise QuestionError(f"{path}: {question.id}: {wrong}")
            if question.id in found:
                other = found[question.id].path
                raise QuestionError(
                    f"{path}: {question.id}: id: {other} has it too; ids are permanent, choose a new one"
                )
            found[question.id] = question
    if not found:
        raise QuestionError(f"{root / 'drills' / 'questions'}: the folder: has no questions; run podwalk in its course")
    _check_prerequisites(found)
    return Bank(_in_order(found))


def read_file(path: Path, root: Path, references: dict[str, str] | None = None, *, strict: bool) -> list[Question]:
    """The questions of one file. ``strict``: by the schema and every rule. Raises QuestionError."""
    data = parse(path)
    if strict:
        schema.validate(data, path)
    names = _references(root) if references is None else references
    try:
        questions = [_question(item, data["layer"], path, root, names) for item in data["questions"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        schema.validate(data, path)
        raise QuestionError(f"{path}: the file: cannot be read ({error}); see {schema.GUIDE}") from None
    if strict:
        for question in questions:
            if wrong := judge.wrong_with(question):
                raise QuestionError(f"{path}: {question.id}: {wrong}")
    return questions


def parse(path: Path) -> Any:
    """A YAML file. Raises QuestionError with the line where it does not parse."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise QuestionError(f"{path}: the file: is larger than {_MOST_BYTES} bytes; split it")
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except OSError as error:
        raise QuestionError(f"{path}: the file: cannot be read ({error.strerror}); see {schema.GUIDE}") from None
    except UnicodeDecodeError:
        raise QuestionError(f"{path}: the file: is no UTF-8; save it as UTF-8") from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark is not None else "the file"
        raise QuestionError(f"{path}: {line}: {getattr(error, 'problem', None) or 'is no YAML'}; mend it") from None


def _references(root: Path) -> dict[str, str]:
    path = root / "drills" / "references.yaml"
    found = parse(path) if path.is_file() else {}
    return {str(name): str(address) for name, address in (found or {}).items()}


def _question(item: dict[str, Any], layer: str, path: Path, root: Path, references: dict[str, str]) -> Question:
    if item["level"] not in LEVELS or layer not in LAYERS or item["type"] not in TYPES:
        raise ValueError(f"{layer} {item['level']} {item['type']}")
    return Question(
        id=item["id"],
        type=item["type"],
        layer=layer,
        level=item["level"],
        exam=tuple(item["exam"]),
        stem=_words(item["stem"]),
        explain=_words(item["explain"]),
        refs=tuple(_reference(name, references, item["id"], path) for name in item["refs"]),
        path=path,
        hint=_optional(item.get("hint")),
        prereq=tuple(item.get("prereq", ())),
        labs=tuple(item.get("labs", ())),
        covers=tuple(item.get("covers", ())),
        article=bool(item.get("article")),
        imported=bool(item.get("imported")),
        time_s=item.get("time_s", 0),
        artifact=_artifact(item, path, root),
        choices=tuple(
            Choice(_words(c["text"]), bool(c.get("ok")), _optional(c.get("why"))) for c in item.get("choices", ())
        ),
        answer=_optional(item.get("answer")),
        rubric=tuple(_point(p) for p in item.get("rubric", ())),
        constraints=tuple(_words(c) for c in item.get("constraints", ())),
        **_bodies(item),
    )


def _bodies(item: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if item["type"] == "order":
        order = item["order"]
        also = tuple(tuple(n - 1 for n in other) for other in order.get("also", ()))
        found["order"] = Order(tuple(_words(i) for i in order["items"]), also)
    elif item["type"] == "predict":
        body = item["predict"]
        traps = tuple(Trap(t["pattern"], _words(t["why"])) for t in body.get("traps", ()))
        found["predict"] = Predict(body["answer"], body.get("match", "exact"), body.get("pattern", ""), traps)
    elif item["type"] == "numeric":
        body = item["numeric"]
        traps = tuple(Trap(str(t["expr"]), _words(t["why"])) for t in body.get("traps", ()))
        params = {name: tuple(float(v) for v in values) for name, values in body.get("params", {}).items()}
        tol, unit = float(body.get("tol", 0)), body.get("unit", "")
        found["numeric"] = Numeric(str(body["expr"]), params, tol, unit, traps)
    elif item["type"] == "spot":
        body = item["spot"]
        near = {int(line): _words(why) for line, why in body.get("near", {}).items()}
        found["spot"] = Spot(body["text"].rstrip("\n"), tuple(body["lines"]), body["fix"].rstrip("\n"), near)
    elif item["type"] == "drill":
        body = item["drill"]
        found["drill"] = Drill(body["fault"], body["layer"], body["object"], _words(body["cause"]))
    return found


def _point(data: dict[str, Any]) -> Point:
    must, against = bool(data.get("must")), bool(data.get("antipattern"))
    return Point(_words(data["point"]), int(data.get("weight", 1)), must, against, tuple(data["any_of"]))


def _artifact(item: dict[str, Any], path: Path, root: Path) -> Artifact | None:
    name = item.get("artifact")
    if not name:
        return None
    file = root / "drills" / "artifacts" / name
    try:
        command, _, text = file.read_text(encoding="utf-8").partition("\n")
    except OSError as error:
        raise QuestionError(
            f"{path}: {item['id']}: artifact: {file} cannot be read ({error.strerror}); "
            "capture it: scripts/capture_artifacts.py"
        ) from None
    return Artifact(name, command.removeprefix("$ "), text.rstrip("\n"))


def _reference(name: str, references: dict[str, str], question: str, path: Path) -> str:
    if name.startswith("https://"):
        return name
    if name not in references:
        raise QuestionError(f"{path}: {question}: refs: {name} is not in drills/references.yaml; add it there")
    return references[name]


def _words(data: Any) -> Words:
    if isinstance(data, str):
        return Words(data.strip())
    return Words(data["en"].strip(), data.get("zh", "").strip())


def _optional(data: Any) -> Words | None:
    return None if data is None else _words(data)


def _check_prerequisites(found: dict[str, Question]) -> None:
    for question in found.values():
        for name in question.prereq:
            if name not in found:
                raise QuestionError(
                    f"{question.path}: {question.id}: prereq: there is no question {name}; name one that exists"
                )


def _in_order(found: dict[str, Question]) -> dict[str, Question]:
    """By level, then as the files have it, and each after those it needs. Raises QuestionError for a circle."""
    done: dict[str, Question] = {}
    under_way: set[str] = set()

    def visit(question: Question) -> None:
        if question.id in done:
            return
        if question.id in under_way:
            raise QuestionError(f"{question.path}: {question.id}: prereq: goes round in a circle; leave one out")
        under_way.add(question.id)
        for name in question.prereq:
            visit(found[name])
        done[question.id] = question

    for question in sorted(found.values(), key=lambda q: LEVELS.index(q.level)):
        visit(question)
    return done

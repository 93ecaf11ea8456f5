"""The texts of the bias check: read from ``bias_templates.yaml``, filled for each value of a group.

A case is one template in all versions that differ in the group alone. Everything else about the
person stays the same: whoever is varied by gender keeps the age, and the family name as well.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import UsageError

SHIPPED = Path(__file__).with_name("bias_templates.yaml")
TASKS = ("classification", "qa")
LANGUAGES = ("en", "zh")
GROUPS = ("gender", "origin", "age", "dialect")

_SLOT = re.compile(r"\{(\w+)\}")
_NAMES = {"name", "first", "last"}
_PRONOUNS = {"they", "them", "their", "title"}
_VERBS = {"was", "is", "has"}
_KNOWN = {*_NAMES, *_PRONOUNS, *_VERBS, "They", "Their", "age"}
_SEED = 20261124
_HINT = f"How a template is to look is said at the top of {SHIPPED.name}."


@dataclass(frozen=True, slots=True)
class Template:
    """One text of the file.

    Attributes:
        labels, favourable: for a classification: what to choose from, and which of them the
            person concerned would rather have.
        references: for a question: all right answers.
        versions: the message in each dialect, else empty.
        number: place among the texts of its task and language; it picks names and ages.
    """

    id: str
    task: str
    lang: str
    kind: str
    text: str
    labels: tuple[str, ...]
    favourable: str
    references: tuple[str, ...]
    versions: Mapping[str, str]
    number: int


@dataclass(frozen=True, slots=True)
class Version:
    """A template filled for one value of a group; ``names`` are those of the person in it."""

    value: str
    text: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A template in all versions of one group, in the order of the file: the reference first.

    ``control`` is the reference once more with another name or age of the same value: what changes
    there is no matter of the group. Dialects have none.
    """

    template: Template
    group: str
    versions: tuple[Version, ...]
    control: Version | None = None


@dataclass(frozen=True, slots=True)
class BiasTexts:
    """What was read: the templates, and the people and ages that go into their slots.

    ``people`` has for each language ``gender``, ``origin``, ``sexes`` and ``words``, as in the file.
    """

    templates: tuple[Template, ...]
    people: Mapping[str, Any]
    ages: Mapping[str, Sequence[int]]

    def cases(
        self,
        *,
        task: str | None = None,
        lang: str | None = None,
        group: str | None = None,
        limit: int | None = None,
    ) -> list[Case]:
        """Return the cases asked for; at most ``limit`` of each task, language and group."""
        found = []
        for each_task in (task,) if task else TASKS:
            for each_lang in (lang,) if lang else LANGUAGES:
                for each_group in (group,) if group else GROUPS:
                    fitting = [
                        template
                        for template in self.templates
                        if (template.task, template.lang) == (each_task, each_lang)
                        and each_group in groups_of(template)
                    ]
                    drawn = _drawn(fitting, limit)
                    found += [self._case(template, each_group) for template in drawn]
        return found

    def person_words(self, lang: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Return the words that differ between people: pronouns and titles, and forms of verbs.

        Each verb's forms stand together, as in ``("has", "have")``.
        """
        words = self.people[lang]["words"].values()
        same = tuple(
            dict.fromkeys(form for one in words for slot, form in one.items() if slot in _PRONOUNS)
        )
        verbs = tuple(
            tuple(dict.fromkeys(one[slot] for one in words if slot in one))
            for slot in sorted(_VERBS)
        )
        return same, tuple(forms for forms in verbs if len(forms) > 1)

    def _case(self, template: Template, group: str) -> Case:
        if group == "dialect":
            versions = [
                Version(value, template.text.replace("{message}", message))
                for value, message in template.versions.items()
            ]
            return Case(template, group, tuple(versions))
        versions = self._versions(template, group, template.number)
        # Two further on in each list: the next one of the same sex.
        other = self._versions(template, group, template.number + 2)[0]
        control = other if other.text != versions[0].text else None
        return Case(template, group, tuple(versions), control)

    def _versions(self, template: Template, group: str, varied: int) -> list[Version]:
        """Return the versions; ``varied`` picks the name or the age that stands for the group."""
        people = self.people[template.lang]
        at = template.number
        sexes, origins = people["sexes"], people["origin"]
        # Whoever is not varied: a name of the language's first origin, in the middle of life.
        name = _pick(next(iter(origins.values())), at)
        sex = _pick(sexes, at)
        age = _pick(next(iter(self.ages.values())), at)
        if group == "gender":
            chosen = [(v, _pick(names, varied), v, age) for v, names in people["gender"].items()]
        elif group == "origin":
            chosen = [(v, _pick(names, varied), sex, age) for v, names in origins.items()]
        else:
            chosen = [(v, name, sex, _pick(years, varied)) for v, years in self.ages.items()]
        return [
            Version(value, _filled(template.text, who, people["words"][of], years), _parts(who))
            for value, who, of, years in chosen
        ]


def groups_of(template: Template) -> tuple[str, ...]:
    """Return the groups a template can be varied by, as its slots say."""
    if template.versions:
        return ("dialect",)
    slots = {slot.lower() for slot in _SLOT.findall(template.text)}
    fits = {
        "gender": bool(slots & (_NAMES | _PRONOUNS)),
        "origin": bool(slots & _NAMES),
        "age": "age" in slots,
    }
    return tuple(group for group in GROUPS if fits.get(group))


def read_bias_texts(path: Path = SHIPPED) -> BiasTexts:
    """Read the templates.

    Raises:
        UsageError: the file cannot be read or a template is wrong; the message names it.
    """
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {error}", _HINT) from error
    if not isinstance(data, dict) or not {"people", "ages", "templates"} <= set(data):
        raise UsageError(f"{path} needs 'people', 'ages' and 'templates'.", _HINT)
    counts: dict[tuple[str, str], int] = {}
    templates: dict[str, Template] = {}
    for row in data["templates"]:
        if not isinstance(row, dict):
            raise UsageError(f"{path}: a template is to have fields.", _HINT)
        key = (str(row.get("task")), str(row.get("lang")))
        counts[key] = counts.get(key, -1) + 1
        template = _template(row, counts[key], path)
        if template.id in templates:
            raise UsageError(f"{path} has the template {template.id!r} twice.", _HINT)
        templates[template.id] = template
    return BiasTexts(tuple(templates.values()), data["people"], data["ages"])


def _template(row: Mapping[str, Any], number: int, path: Path) -> Template:
    template = Template(
        id=str(row.get("id")),
        task=str(row.get("task")),
        lang=str(row.get("lang")),
        kind=str(row.get("kind", "")),
        text=str(row.get("text", "")).strip(),
        labels=tuple(row.get("labels", ())),
        favourable=str(row.get("favourable", "")),
        references=tuple(
            dict.fromkeys(
                [*([row["answer"]] if row.get("answer") else []), *row.get("answers", ())]
            )
        ),
        versions=row.get("versions", {}),
        number=number,
    )
    wrong = _wrong(template)
    if wrong:
        raise UsageError(f"{path}, template {template.id!r}: {wrong}.", _HINT)
    return template


def _wrong(template: Template) -> str:
    """Return what is wrong with a template, ``""`` when nothing is."""
    slots = set(_SLOT.findall(template.text))
    known = {"message"} if template.versions else _KNOWN
    if template.task not in TASKS or template.lang not in LANGUAGES:
        return f"task is one of {', '.join(TASKS)}, lang one of {', '.join(LANGUAGES)}"
    if not slots or not slots <= known:
        return f"it needs slots, of these: {', '.join(sorted(known))}"
    if template.task == "classification" and template.favourable not in template.labels:
        return "'favourable' must be one of its labels"
    if template.task == "qa" and not template.references:
        return "it needs an answer"
    if template.versions and len(template.versions) < 2:
        return "one version cannot be compared"
    return ""


def _drawn(templates: Sequence[Template], limit: int | None) -> Sequence[Template]:
    """Return ``limit`` templates, always the same ones, in the order of the file."""
    if limit is None or limit >= len(templates):
        return templates
    chosen = random.Random(_SEED).sample(range(len(templates)), limit)
    return [templates[i] for i in sorted(chosen)]


def _pick(values: Sequence[Any], at: int) -> Any:
    return values[at % len(values)]


def _filled(text: str, name: str, words: Mapping[str, str], age: int) -> str:
    values = {
        **words,
        "name": name,
        "first": name.split()[0],
        "last": name.split()[-1],
        "age": str(age),
        "They": words["they"].capitalize(),
        "Their": words["their"].capitalize(),
    }
    return _SLOT.sub(lambda slot: values[slot[1]], text)


def _parts(name: str) -> tuple[str, ...]:
    """Return a name and its parts, the longest first: an answer may use any of them."""
    return tuple(sorted({name, *re.split(r"[\s·]", name)}, key=len, reverse=True))

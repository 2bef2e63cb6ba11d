"""Does the picture keep the house's own rules?

Rules are declared in the catalog's settings, without code: a question about measured values and a sentence
for who has to mend it. A package may add rules as functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

import numpy as np
from pydantic import Field

from packline.errors import FixSettings
from packline.scorecard import CheckResult, Evidence, Verdict
from packline.settings import RuleSettings
from scoring.check import Check, CheckInput, CheckSettings, box_evidence
from scoring.expressions import Expression, Function, WrongExpression, parse
from scoring.measures import FUNCTIONS, MEASURES, CannotTell, DoesNotApply, Measured

NAME = "house_rules"
GROUP = "packline.rules"
# what there is not decides nothing; that it cannot be told outweighs that it does not apply, since a person
# then looks at the picture
_ABSENT = (CannotTell, DoesNotApply)
# values that are about where the product stands: their rules point at it
_PLACE = ("margin_", "product_", "centre_")

Answer = bool | str
RuleFunction = Callable[[Mapping[str, Any]], Answer]


class HouseSettings(CheckSettings):
    """``[checks.house_rules]``; the rules themselves are the table ``[rules]``.

    Parameters
    ----------
    rules
        Filled from ``[rules]``.
    """

    rules: dict[str, RuleSettings] = Field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """The rules as written, and the versions of the packages that add some."""
        return {**self.model_dump(), "installed": {name: where for name, (_, where) in installed().items()}}


@dataclass(frozen=True)
class Finding:
    """What one rule said of one picture.

    Parameters
    ----------
    kept
        None where it cannot be told.
    """

    name: str
    kept: bool | None
    sentence: str
    values: dict[str, float]
    place: bool = False


class Values(Mapping[str, Any]):
    """Measured values by name, taken when they are asked for; what a rule in Python gets.

    ``values["margin_left"]``, ``values["colour.delta_e"]``; `delta_e` compares colours.
    """

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self.asked: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self.asked:
            if "." in name:
                self.asked[name] = self._measured.of_check(name)
            elif name in MEASURES:
                self.asked[name] = MEASURES[name].take(self._measured)
            else:
                raise KeyError(f"there is no value {name}; the values are {', '.join(MEASURES)}")
        return self.asked[name]

    @property
    def numbers(self) -> dict[str, float]:
        """Those of the values asked for that are numbers."""
        return {name: float(value) for name, value in self.asked.items() if isinstance(value, int | float)}

    def __iter__(self) -> Iterator[str]:
        return iter(MEASURES)

    def __len__(self) -> int:
        return len(MEASURES)

    def functions(self) -> dict[str, Function]:
        """`FUNCTIONS`, which note what they measured."""
        return {name: replace(one, call=getattr(self, name)) for name, one in FUNCTIONS.items()}

    def delta_e(self, part: str, colour: str) -> float:
        """CIEDE2000 of a part, "product" or "background" to ``"#rrggbb"``."""
        found = self._measured.delta_e(part, colour)
        self.asked[f"{part} to {colour}"] = found
        return found


def read_rules(rules: Mapping[str, RuleSettings], checks: Sequence[str]) -> dict[str, Expression]:
    """Read the rules' expressions.

    Parameters
    ----------
    checks
        Names of the checks whose measures a rule may ask for.

    Raises
    ------
    FixSettings
        With a sentence for the first rule that cannot be used.
    """
    read = {}
    kinds = {name: measure.kind for name, measure in MEASURES.items()}
    owners = tuple(name for name in checks if name != NAME)
    for name, rule in rules.items():
        if name in installed():
            raise FixSettings(
                f"Settings: [rules] {name} is the name of an installed package's rule; rename it."
            )
        try:
            read[name] = parse(rule.rule, kinds, owners, FUNCTIONS)
        except WrongExpression as error:
            raise FixSettings(f"Settings: [rules] {name} = {rule.rule!r} cannot be used: {error}.") from error
    return read


@lru_cache(maxsize=1)
def installed() -> dict[str, tuple[RuleFunction, str]]:
    """Rules of installed packages by name, each with where it comes from and that package's version.

    A package offers one with an entry point of the group ``packline.rules`` that leads to a function of
    `Values`. It answers True, or a sentence where the rule is broken.

    Raises
    ------
    FixSettings
        Where one cannot be loaded or is no function.
    """
    found: dict[str, tuple[RuleFunction, str]] = {}
    for point in entry_points(group=GROUP):
        try:
            rule = point.load()
        except Exception as error:
            raise FixSettings(
                f"The installed rule {point.name} ({point.value}) cannot be loaded ({error}); "
                "mend or uninstall its package."
            ) from error
        if not callable(rule):
            raise FixSettings(
                f"The installed rule {point.name} ({point.value}) is no function; mend its package."
            )
        version = point.dist.version if point.dist else ""
        found[point.name] = rule, f"{point.value} {version}".strip()
    return found


def judge(inputs: Sequence[CheckInput], settings: HouseSettings) -> list[CheckResult]:
    """Ask every rule that is meant for each shot."""
    # read anew for each chunk, which takes microseconds: a check stays a pure function of its settings
    kinds = {name: measure.kind for name, measure in MEASURES.items()}
    read = {name: parse(rule.rule, kinds, None, FUNCTIONS) for name, rule in settings.rules.items()}
    return [_judged(one, settings, read) for one in inputs]


def _judged(one: CheckInput, settings: HouseSettings, read: Mapping[str, Expression]) -> CheckResult:
    if not settings.rules and not installed():
        words = "The catalogue declares no rules."
        return CHECK.result(1.0, settings.threshold, words, verdict=Verdict.NOT_APPLICABLE)
    if one.problem:
        raise ValueError(one.problem)
    measured = Measured(one)
    asked = [
        _declared(name, rule, read[name], measured)
        for name, rule in settings.rules.items()
        if _meant(rule.sku, one.sku) and _meant(rule.scene, one.place)
    ]
    asked += [_called(name, rule, measured) for name, (rule, _) in installed().items()]
    findings = [found for found in asked if isinstance(found, Finding)]
    idle = "; ".join(found for found in asked if isinstance(found, str))
    if not findings:
        words = f"No rule applies to this picture: {idle or 'none is meant for it'}."
        return CHECK.result(1.0, settings.threshold, words, verdict=Verdict.NOT_APPLICABLE)
    return _result(measured, settings, findings, idle)


def _result(
    measured: Measured, settings: HouseSettings, findings: Sequence[Finding], idle: str
) -> CheckResult:
    broken = [found for found in findings if found.kept is False]
    unknown = [found for found in findings if found.kept is None]
    numbers = {
        name: value for found in findings for name, value in found.values.items() if np.isfinite(value)
    }
    evidence = [Evidence("text", f"{found.name}: {_numbers(found)}") for found in broken if found.values]
    if any(found.place for found in broken):
        evidence.append(box_evidence("the product", *measured.box))
    kept = len(findings) - len(broken) - len(unknown)
    if broken:
        score, verdict = 0.5 * settings.threshold * kept / len(findings), Verdict.FAIL
        words = " ".join(_sentence(found.sentence) for found in broken)
    elif unknown:
        score, verdict = settings.threshold, Verdict.UNVERIFIABLE
        words = " ".join(_sentence(found.sentence) for found in unknown)
    else:
        score, verdict = 1.0, Verdict.PASS
        words = "The rule is kept." if kept == 1 else f"All {kept} rules are kept."
    if idle:
        # a part whose name is mistyped is one that no product has: said, since the rule would else never
        # be missed
        words += f" Does not apply to this picture: {idle}."
    return CHECK.result(score, settings.threshold, words, tuple(evidence), verdict, numbers)


def _declared(name: str, rule: RuleSettings, question: Expression, measured: Measured) -> Finding | str:
    """Ask a rule of the settings; a clause where it does not apply to the picture."""
    values = Values(measured)
    place = any(asked.startswith(_PLACE) for asked in question.names)
    try:
        kept = question.holds(values.__getitem__, values.functions(), _ABSENT)
    except DoesNotApply as why:
        return f"{name}: {why}"
    except CannotTell as why:
        return Finding(name, None, f"The rule {name} cannot be told: {why}", {})
    except WrongExpression as why:
        raise ValueError(f"the rule {name}: {why}") from None
    return Finding(name, kept, rule.say, values.numbers, place)


def _called(name: str, rule: RuleFunction, measured: Measured) -> Finding | str:
    """Ask a rule of an installed package; what it raises besides is an error of the check."""
    values = Values(measured)
    try:
        answer = rule(values)
    except DoesNotApply as why:
        return f"{name}: {why}"
    except CannotTell as why:
        return Finding(name, None, f"The rule {name} cannot be told: {why}", {})
    if not isinstance(answer, bool | str):
        raise ValueError(f"the rule {name} answered with {answer!r}, neither True nor a sentence")
    kept = answer is True or answer == ""
    said = answer if isinstance(answer, str) and answer else f"The rule {name} is broken"
    return Finding(name, kept, said, values.numbers, any(asked.startswith(_PLACE) for asked in values.asked))


def _meant(pattern: str, name: str) -> bool:
    return not pattern or any(fnmatchcase(name, part.strip()) for part in pattern.split(","))


def _numbers(found: Finding) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in found.values.items())


def _sentence(words: str) -> str:
    words = words.strip()
    return words if words.endswith((".", "!", "?")) else f"{words}."


CHECK = Check(NAME, "3", HouseSettings, {"threshold": 0.5}, judge)

"""A search for the setting of a model that does best on days before those that its gate looks at.

A setting is a recipe, and the weights of the strengths that it is fitted to. Settings are tried one after the other:
the first is the one that is configured, so that what is found is never worse on the same days; the others are drawn
by a tree-structured Parzen estimator (Bergstra et al. 2011, with the dimensions modelled jointly; Optuna), which
draws more often where it went well. A trial goes block by block, and is broken off after one where it is worse than
the median of the finished trials was there (Golovin et al. 2017).

Trials are numbered, and each draws with a seed of its own number from what those before it found. So a search that
was killed, or ran out of its budget, goes on as if it had never stopped once it is given their records; none is made
twice. Only a limit in minutes makes what is found depend on how quick the machine is; that is why the setting that
was chosen is stored.

How a setting fares is for others to say (validation.py): here nothing is known of Spark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cinelake.recommend.model import Recipe
from cinelake.recommend.strengths import Weights

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

R = TypeVar("R", bound=Recipe)
M = TypeVar("M", bound=BaseModel)
Value = int | float | None
# Trials that are drawn evenly before there is anything to learn from, and finished ones before any is broken off.
DRAWN_EVENLY = 8
NEVER_BROKEN_OFF = 4
# The tag under which a trial's record is found again.
TRIAL = "trial"


class UnknownSetting(ValueError):
    """A stored setting is none that the code knows; the message says what of it."""


@dataclass(frozen=True)
class Setting(Generic[R]):
    """A recipe, and the weights of the strengths that it is fitted to."""

    recipe: R
    weights: Weights

    @property
    def tags(self) -> dict[str, str]:
        """As a registered model carries it."""
        return {
            "recipe": self.recipe.model_dump_json(),
            "weights": self.weights.model_dump_json(),
        }

    @property
    def flat(self) -> dict[str, Any]:
        """Values by name, `als.rank`, as parameters are logged."""
        return dict(_flat("", self.recipe.model_dump())) | {
            f"weights.{name}": value for name, value in self.weights
        }

    def of_tags(self, tags: Mapping[str, str]) -> Setting[R]:
        """The setting that a model of this kind carries; one without weights was fitted to these.

        Raises UnknownSetting for a model of other features.
        """
        kind, weights = type(self.recipe), tags.get("weights")
        try:
            return Setting(
                kind.model_validate_json(tags["recipe"]),
                Weights.model_validate_json(weights) if weights else self.weights,
            )
        except (KeyError, ValidationError) as error:
            raise UnknownSetting(
                f"it was fitted with a setting of {kind.kind!r} that this code does not know ({_first_of(error)})"
            ) from error

    def value(self, name: str) -> Value:
        """What is set for a dimension of the search."""
        found: Value = getattr(self._holder(name), name)
        return found

    def having(self, values: Mapping[str, Value]) -> Setting[R]:
        """The same with other values. Raises ValueError where one is not allowed."""
        of_recipe = {n: v for n, v in values.items() if n in type(self.recipe).model_fields}
        of_weights = {n: v for n, v in values.items() if n not in of_recipe}
        return Setting(
            type(self.recipe).model_validate(self.recipe.model_dump() | of_recipe),
            Weights.model_validate(self.weights.model_dump() | of_weights),
        )

    def _holder(self, name: str) -> BaseModel:
        return self.recipe if name in type(self.recipe).model_fields else self.weights


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


class Between(BaseModel):
    """A range of numbers, both ends among them; equal ends leave a value as it is configured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float
    high: float
    log: bool = Field(False, description="whether ratios count, rather than differences")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low > self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"{self.low} to {self.high} is no range; low comes first, and is above 0 where ratios count"
            )
        return self


class Space(BaseModel):
    """What is searched. What is configured always belongs to it: ranges and choices are widened to hold it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: tuple[int, ...] = Field((8, 16, 32, 64, 128), description="lengths of the factors")
    alpha: Between = Between(low=1, high=40, log=True)
    reg_param: Between = Between(low=0.03, high=1.5, log=True)
    half_life_days: tuple[float, ...] = Field(
        (30, 90, 365, 1095), description="days; that signals never fade is tried, too"
    )
    like_from: tuple[float, ...] = Field(
        (3.0, 3.5, 4.0, 4.5), description="ratings that are learned from as likes"
    )
    # Down to any play that was not broken off at once: to choose a title says something of taste by itself.
    wanted_from: Between = Between(low=0.02, high=1.0)
    # What signals count for against one another. Some services have no use for one, and a search tells which.
    rating: Between = Between(low=0.0, high=2.0)
    completion: Between = Between(low=0.0, high=2.0)
    rewatch: Between = Between(low=0.0, high=1.0)
    thumbs_up: Between = Between(low=0.0, high=2.0)
    thumbs_down: Between = Between(low=-4.0, high=0.0)
    on_list: Between = Between(low=0.0, high=1.0)
    not_interested: Between = Between(low=-4.0, high=0.0)
    abandoned: Between = Between(low=-1.0, high=0.0)
    hover: Between = Between(low=-0.5, high=0.0)

    def around(self, start: Setting[Any]) -> dict[str, BaseDistribution]:
        """The dimensions as Optuna wants them. Raises ValueError for a value that no setting may have."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        found: dict[str, BaseDistribution] = {}
        for name, values in self:
            now = start.value(name)
            for value in (values.low, values.high) if isinstance(values, Between) else values:
                _refuse_unless_allowed(start, name, value)
            if isinstance(values, Between):
                assert now is not None
                found[name] = FloatDistribution(
                    min(values.low, now), max(values.high, now), log=values.log
                )
            else:
                never = {None} if name == "half_life_days" else set()
                choices = sorted({*values, now} - {None}) + [None] * (None in {now, *never})
                found[name] = CategoricalDistribution(choices)
        return found


class Judged(NamedTuple):
    """How a setting fared on a block: the sum of the measure over so many profiles."""

    total: float
    profiles: int


class Outcome(NamedTuple):
    """What a search has come to, in numbers: the means of the best and of the configured setting, over all blocks."""

    objective: str
    mean: float
    configured_mean: float
    trials: int
    pruned: int


# A setting's fortunes, block by block; closed early where a trial is broken off.
Judge = Callable[[Setting[Any]], Iterator[Judged]]


class Trial(BaseModel):
    """The record of a trial: what was tried, and the mean of the measure over the blocks up to each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    values: dict[str, Value]
    means: tuple[float, ...]
    pruned: bool

    @property
    def mean(self) -> float:
        """Over all blocks that it got to."""
        return self.means[-1]


class Record(Protocol):
    """Where a trial is written down as it goes, such as a run of MLflow."""

    def log_params(self, params: Mapping[str, Any]) -> None: ...

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None: ...

    def set_tags(self, tags: Mapping[str, Any]) -> None: ...

    def flush(self) -> None: ...

    def finish(self, status: str = "FINISHED", error: str | None = None) -> None: ...


class Unrecorded:
    """A record that nobody keeps."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep nothing."""

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def flush(self) -> None:
        """Send nothing."""

    def finish(self, status: str = "FINISHED", error: str | None = None) -> None:
        """Close nothing."""


@dataclass(frozen=True)
class Budget:
    """How many trials there are to be, those of earlier searches among them, and whether time is up."""

    trials: int
    is_over: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Found(Generic[R]):
    """What a search has come to."""

    start: Setting[R]
    space: Space
    objective: str
    trials: tuple[Trial, ...]

    @property
    def finished(self) -> list[Trial]:
        """Those that were not broken off."""
        return [trial for trial in self.trials if not trial.pruned]

    @property
    def best(self) -> Trial:
        """Of equals the earlier one, and so what is configured."""
        return max(self.finished, key=lambda trial: (trial.mean, -trial.number))

    @property
    def setting(self) -> Setting[R]:
        return self.start.having(self.best.values)

    @property
    def outcome(self) -> Outcome:
        """The same in numbers."""
        broken_off = len(self.trials) - len(self.finished)
        configured = self.trials[0].mean
        return Outcome(self.objective, self.best.mean, configured, len(self.trials), broken_off)

    @cached_property
    def importance(self) -> dict[str, float]:
        """The share of each dimension in how much finished trials differ (fANOVA; Hutter et al. 2014), largest first.

        Empty where there are too few, or all fared the same.
        """
        if len(self.finished) < NEVER_BROKEN_OFF or len({t.mean for t in self.finished}) == 1:
            return {}
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        study = _study(self.space.around(self.start), self.trials)
        shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
        return {name: float(share) for name, share in shares.items()}


def search(
    start: Setting[R],
    space: Space,
    judge: Judge,
    budget: Budget,
    *,
    objective: str,
    seed: int = 42,
    earlier: Iterable[Trial] = (),
    record: Callable[[str], Record] = lambda _: Unrecorded(),
    tell: Callable[[int, int, str], None] = lambda *_: None,
) -> Found[R]:
    """Try settings around `start` until the budget is spent; `earlier` trials of the same search count.

    `record` opens the record of a trial by its name; `tell` hears how many of how many are made. The first trial is
    made whatever the budget.
    """
    space_around = space.around(start)
    known = {trial.number: trial for trial in earlier}
    study = _study(space_around, ())
    trials: list[Trial] = []
    for number in range(max(1, budget.trials)):
        if number in known:
            trial = known[number]
            study.add_trial(_as_optuna(trial, space_around))
        elif trials and budget.is_over():
            break
        else:
            trial = _tried(study, number, start, space_around, judge, objective, seed, record)
        trials.append(trial)
        best = Found(start, space, objective, tuple(trials)).best
        fate = " (broken off)" if trial.pruned else ""
        tell(
            number + 1, budget.trials,
            f"{objective} {trial.mean:.4f}{fate}, best {best.mean:.4f}",
        )  # fmt: skip
    return Found(start, space, objective, tuple(trials))


def records(tags: Sequence[Mapping[str, str]]) -> list[Trial]:
    """The trials that finished runs are tagged with; of two of one number, as of searches side by side, the first."""
    found: dict[int, Trial] = {}
    for each in tags:
        if TRIAL in each:
            trial = Trial.model_validate_json(each[TRIAL])
            found.setdefault(trial.number, trial)
    return [found[number] for number in sorted(found)]


def read_setting(kind: type[R], recipe: str, weights: str) -> Setting[R]:
    """A setting from JSON. Raises UnknownSetting where it was stored by code that knew other settings."""
    try:
        return Setting(
            kind.model_validate_json(recipe),
            Weights.model_validate_json(weights),
        )
    except ValidationError as error:
        raise UnknownSetting(
            f"the stored setting of {kind.kind!r} is not one any more: {_first_of(error)}; make a new one by "
            "`cinelake run --only search_recipe`"
        ) from error


def of_tag(kind: type[M], tags: Mapping[str, str], name: str) -> M:
    """What a version of a model carries as JSON under a tag. Raises UnknownSetting where it was registered by code that
    knew other settings, or none of that name.
    """
    try:
        return kind.model_validate_json(tags[name])
    except (KeyError, ValidationError) as error:
        raise UnknownSetting(
            f"its tag {name!r} is none that this code knows ({_first_of(error)})"
        ) from error


@contextmanager
def explained(model: str, version: int, made: str) -> Iterator[None]:
    """Of a version of other features than this code has, it is said what cannot be made with it, and what to do."""
    try:
        yield
    except UnknownSetting as unknown:
        raise ValueError(
            f"{made} cannot be made with version {version} of model {model!r}: {unknown}; train anew "
            "with `cinelake run --only train_recommender`, or go back with `cinelake model rollback`"
        ) from unknown


def _first_of(error: KeyError | ValidationError) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _refuse_unless_allowed(start: Setting[Any], name: str, value: Value) -> None:
    try:
        start.having({name: value})
    except ValidationError as error:
        raise ValueError(
            f"space.{name}: {value} is no value to try: {error.errors()[0]['msg']}"
        ) from error


def _tried(
    study: Study,
    number: int,
    start: Setting[Any],
    space: Mapping[str, BaseDistribution],
    judge: Judge,
    objective: str,
    seed: int,
    record: Callable[[str], Record],
) -> Trial:
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    study.sampler = TPESampler(seed=seed + number, n_startup_trials=DRAWN_EVENLY, multivariate=True)
    if number == 0:
        study.enqueue_trial({name: start.value(name) for name in space})
    asked = study.ask(dict(space))
    setting = start.having(asked.params)
    kept = record(f"trial {number}")
    kept.log_params(asked.params)
    kept.flush()
    means: list[float] = []
    total, profiles, pruned = 0.0, 0, False
    blocks = judge(setting)
    try:
        for step, judged in enumerate(blocks, start=1):
            total, profiles = total + judged.total, profiles + judged.profiles
            means.append(total / profiles)
            kept.log_metrics(
                {objective: means[-1], f"block.{objective}": judged.total / judged.profiles}, step
            )
            kept.flush()
            asked.report(means[-1], step)
            if asked.should_prune():
                pruned = True
                break
    except BaseException as error:
        kept.finish("FAILED", f"{type(error).__name__}: {error}")
        raise
    finally:
        close = getattr(blocks, "close", None)
        if close is not None:
            close()
    trial = Trial(number=number, values=dict(asked.params), means=tuple(means), pruned=pruned)
    state = TrialState.PRUNED if pruned else TrialState.COMPLETE
    study.tell(asked, None if pruned else trial.mean, state=state)
    kept.set_tags({TRIAL: trial.model_dump_json(), "state": "pruned" if pruned else "finished"})
    kept.finish()
    return trial


def _study(space: Mapping[str, BaseDistribution], trials: Iterable[Trial]) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=NEVER_BROKEN_OFF),
    )
    for trial in trials:
        study.add_trial(_as_optuna(trial, space))
    return study


def _as_optuna(trial: Trial, space: Mapping[str, BaseDistribution]) -> Any:
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.PRUNED if trial.pruned else TrialState.COMPLETE,
        value=trial.mean,
        params=dict(trial.values),
        distributions=dict(space),
        intermediate_values=dict(enumerate(trial.means, start=1)),
    )

"""Gold tables of account integrity: who streams at once, from where, and what is worth a person's look.

Accounts, devices and profiles stand under their pseudonyms. A *network* is an address told apart inside its account
only: the hash of both, so that it leads to no other account. Places are countries, regions and cells of H3.
Times are UTC.
"""

from __future__ import annotations

from typing import Literal, get_args

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from cinelake.tables.contract import (
    Column,
    Kind,
    Layer,
    Model,
    Partition,
    Table,
    between,
    one_of,
    satisfies,
)

Misuse = Literal["screens", "places", "sharing", "takeover", "playback"]
KINDS: tuple[Misuse, ...] = get_args(Misuse)
Action = Literal["notify", "step_up", "limit", "block"]
ACTIONS: tuple[Action, ...] = get_args(Action)
VERDICTS_KNOWN = ("confirm", "reject", "appeal")
STATUSES = ("needs_review", "confirmed", "rejected", "allowed", "closed")

STREAM = StructType(
    [
        StructField("play_id", StringType()),
        StructField("device_id", StringType()),
        StructField("network", StringType()),
        StructField("country", StringType()),
        StructField("region", StringType()),
        StructField("from_at", TimestampType()),
        StructField("until_at", TimestampType()),
    ]
)
REASON = StructType(
    [
        StructField("code", StringType()),
        StructField("text", StringType()),
        StructField("weight", DoubleType()),
    ]
)
GENRE = StructType([StructField("genre", StringType()), StructField("titles", LongType())])
FEATURE = StructType([StructField("name", StringType()), StructField("value", DoubleType())])

STREAM_PEAKS = Table(
    name="stream_peaks",
    area="integrity",
    layer=Layer.GOLD,
    grain="one account and day on which it streamed: how many streams it had at once at most",
    columns=(
        Column("account_id", StringType(), "The account", required=True),
        Column("stream_date", DateType(), "The day", required=True),
        Column(
            "streams",
            IntegerType(),
            "Streams of the day; what passes midnight counts on both days",
            required=True,
        ),
        Column("peak", IntegerType(), "Most at once", required=True),
        Column("peak_at", TimestampType(), "When that was first reached", required=True),
        Column("peak_ms", LongType(), "How long it was so, over the day (ms)", required=True),
    ),
    key=("account_id", "stream_date"),
    window="stream_date",
    partition=Partition.DAY,
    checks=(
        between("peak", 1),
        between("peak_ms", 1),
        satisfies("peak_is_of_streams", "peak <= streams", "peak", "streams"),
    ),
)

CONCURRENT_STREAMS = Table(
    name="concurrent_streams",
    area="integrity",
    layer=Layer.GOLD,
    grain=(
        "one longest interval of a day in which an account had more streams than its plan allows; one that passes "
        "midnight has a row on each day"
    ),
    columns=(
        Column("account_id", StringType(), "The account", required=True),
        Column("stream_date", DateType(), "The day", required=True),
        Column("from_at", TimestampType(), "First moment, included", required=True),
        Column("until_at", TimestampType(), "Last moment, excluded", required=True),
        Column("streams", IntegerType(), "Most streams at once in it", required=True),
        Column("allowed", IntegerType(), "Fewest that the plan allowed in it", required=True),
        Column("excess_ms", LongType(), "Streams too many, times how long (ms)", required=True),
        Column("plays", IntegerType(), "Streams that took part", required=True),
        Column("devices", IntegerType(), "Devices among them", required=True),
        Column("networks", IntegerType(), "Networks among them", required=True),
        Column("regions", IntegerType(), "Regions among them", required=True),
        Column(
            "evidence",
            ArrayType(STREAM),
            "The first of these streams, in order of time",
            required=True,
        ),
        Column(
            "comes_from_before", BooleanType(), "Whether it began on the day before", required=True
        ),
        Column("goes_on", BooleanType(), "Whether it lasts into the next day", required=True),
    ),
    key=("account_id", "stream_date", "from_at"),
    window="stream_date",
    partition=Partition.DAY,
    checks=(
        satisfies("is_not_empty", "until_at > from_at", "until_at", "from_at"),
        satisfies("is_an_excess", "streams > allowed", "streams", "allowed"),
    ),
)

PLACE_DAYS = Table(
    name="place_days",
    area="integrity",
    layer=Layer.GOLD,
    grain="one region, cell of H3 in it, and day on which somebody logged in there",
    columns=(
        Column("country", StringType(), "Country (ISO 3166-1)", required=True),
        Column("region", StringType(), "Region", required=True),
        Column("cell", StringType(), "The cell, as 831f1dfffffffff", required=True),
        Column("latitude", DoubleType(), "Of the cell's middle (degrees)", required=True),
        Column("longitude", DoubleType(), "Of the cell's middle (degrees)", required=True),
        Column("log_in_date", DateType(), "The day", required=True),
        Column("log_ins", LongType(), "Log-ins there, successful or not", required=True),
    ),
    key=("country", "region", "cell", "log_in_date"),
    window="log_in_date",
    partition=Partition.MONTH,
    checks=(
        between("log_ins", 1),
        between("latitude", -90, 90),
        between("longitude", -180, 180),
    ),
)

IMPOSSIBLE_JOURNEYS = Table(
    name="impossible_journeys",
    area="integrity",
    layer=Layer.GOLD,
    grain=(
        "one pair of uses of an account, of different devices in different regions, that no traveller could have made: "
        "too far apart for the time between them, whatever lookups of addresses may be wrong by"
    ),
    columns=(
        Column("account_id", StringType(), "The account", required=True),
        Column("later_date", DateType(), "Day on which the later of the two began", required=True),
        Column("earlier_at", TimestampType(), "When the earlier use began", required=True),
        Column("earlier_until", TimestampType(), "When it ended", required=True),
        Column("later_at", TimestampType(), "When the later one began", required=True),
        Column("earlier_device_id", StringType(), "Device of the earlier", required=True),
        Column("later_device_id", StringType(), "Device of the later", required=True),
        Column("earlier_place", StringType(), "Country and region of the earlier", required=True),
        Column("later_place", StringType(), "Country and region of the later", required=True),
        Column("earlier_kind", StringType(), "play or log_in", required=True),
        Column("later_kind", StringType(), "play or log_in", required=True),
        Column(
            "distance_km",
            DoubleType(),
            "Distance, less what both places are uncertain by",
            required=True,
        ),
        Column(
            "gap_s",
            DoubleType(),
            "From the end of the earlier to the start of the later; 0: at once (s)",
            required=True,
        ),
        Column(
            "speed_kmh",
            DoubleType(),
            "Speed it takes; null when both were at once, which no speed makes possible",
        ),
    ),
    key=(
        "account_id",
        "later_date",
        "later_at",
        "later_device_id",
        "earlier_at",
        "earlier_device_id",
    ),
    window="later_date",
    partition=Partition.DAY,
    checks=(
        between("distance_km", 0),
        between("gap_s", 0),
        satisfies(
            "gap_zero_has_no_speed", "(gap_s = 0) = (speed_kmh IS NULL)", "gap_s", "speed_kmh"
        ),
    ),
)

USAGE_DAYS = Table(
    name="usage_days",
    area="integrity",
    layer=Layer.GOLD,
    grain="one day of a device at a profile of an account on one network in one region",
    columns=(
        Column("account_id", StringType(), "The account", required=True),
        Column("use_date", DateType(), "The day on which plays began", required=True),
        Column("device_id", StringType(), "The device", required=True),
        Column("profile_id", StringType(), "The profile", required=True),
        Column(
            "network", StringType(), "Its address, told apart inside the account", required=True
        ),
        Column("connection", StringType(), "Kind of connection, or unknown", required=True),
        Column("country", StringType(), "Country, or unknown", required=True),
        Column("region", StringType(), "Region, or unknown", required=True),
        Column(
            "device_kind",
            StringType(),
            "tv, console, phone, tablet or laptop, or unknown",
            required=True,
        ),
        Column(
            "device_since",
            DateType(),
            "Day on which the account first had the device; null if not known",
        ),
        Column("asn", IntegerType(), "Autonomous system; the least, if it changed"),
        Column("plays", LongType(), "Plays with a picture", required=True),
        Column("played_ms", LongType(), "Time watched (ms)", required=True),
        Column("finished", LongType(), "Plays seen to the end", required=True),
        Column("unasked", LongType(), "Plays begun by a deep link", required=True),
        Column("titles", LongType(), "Titles and episodes played", required=True),
        Column(
            "genres",
            ArrayType(GENRE),
            "Films and series played, by genre in order of names; empty where no genres are known, "
            "null on days of before they were counted",
        ),
        Column(
            "weekend_plays",
            LongType(),
            "Plays on a Saturday or Sunday by the account's clock",
            required=True,
        ),
        Column(
            "hours",
            LongType(),
            "Hours of the day (UTC) in which it played: bit h for hour h",
            required=True,
        ),
        Column("first_at", TimestampType(), "First play", required=True),
        Column("last_at", TimestampType(), "Start of the last play", required=True),
    ),
    key=(
        "account_id",
        "use_date",
        "device_id",
        "profile_id",
        "network",
        "connection",
        "country",
        "region",
    ),
    window="use_date",
    partition=Partition.DAY,
    checks=(between("plays", 1), between("played_ms", 0), between("hours", 0, 2**24 - 1)),
)

LOG_IN_RISKS = Table(
    name="log_in_risks",
    area="integrity",
    layer=Layer.GOLD,
    grain="one attempt to log in, with how unusual it is for its account and for everybody",
    columns=(
        Column("event_id", StringType(), "The attempt", required=True),
        Column("attempt_date", DateType(), "Its day", required=True),
        Column("account_id", StringType(), "The account", required=True),
        Column("device_id", StringType(), "The device", required=True),
        Column("attempted_at", TimestampType(), "When", required=True),
        Column("is_success", BooleanType(), "Whether it came in", required=True),
        Column(
            "is_new_device",
            BooleanType(),
            "Whether the account never had the device before",
            required=True,
        ),
        Column("country", StringType(), "Country, or unknown", required=True),
        Column("region", StringType(), "Region, or unknown", required=True),
        Column("asn", IntegerType(), "Autonomous system"),
        Column("connection", StringType(), "Kind of connection, or unknown", required=True),
        Column(
            "risk",
            DoubleType(),
            "Logarithm (base e) of how much likelier its features are for anybody than for the account",
            required=True,
        ),
        Column(
            "unusual",
            ArrayType(StringType()),
            "Of place, operator and connection what the account had not streamed with in the four weeks before; "
            "empty if it had not streamed",
            required=True,
        ),
        Column(
            "was_tried",
            BooleanType(),
            "Whether in the week before a burst of stuffing tried the account",
            required=True,
        ),
        Column("in_burst", BooleanType(), "Whether it belongs to such a burst", required=True),
    ),
    key=("event_id", "attempt_date"),
    window="attempt_date",
    partition=Partition.MONTH,
)

LOG_IN_BURSTS = Table(
    name="log_in_bursts",
    area="integrity",
    layer=Layer.GOLD,
    grain="one network operator and day on which log-ins from there failed at unusually many accounts (stuffing)",
    columns=(
        Column("asn", IntegerType(), "Autonomous system", required=True),
        Column("burst_date", DateType(), "The day", required=True),
        Column("attempts", LongType(), "Attempts to log in", required=True),
        Column(
            "failures",
            LongType(),
            "Of these failed for a wrong password, or met a lock",
            required=True,
        ),
        Column("accounts", LongType(), "Accounts that were failed at", required=True),
        Column("devices", LongType(), "Devices that failed", required=True),
        Column(
            "shared_devices",
            LongType(),
            "Of these devices, those that failed at more accounts than one",
            required=True,
        ),
        Column(
            "usual_accounts",
            DoubleType(),
            "Accounts failed at on a day of the weeks before, in the mean",
            required=True,
        ),
        Column("first_at", TimestampType(), "First failure", required=True),
        Column("last_at", TimestampType(), "Last failure", required=True),
    ),
    key=("asn", "burst_date"),
    window="burst_date",
    partition=Partition.MONTH,
    checks=(
        between("accounts", 1),
        satisfies("failures_are_attempts", "failures <= attempts", "failures", "attempts"),
    ),
)

ACCOUNT_PARTIES = Table(
    name="account_parties",
    area="integrity",
    layer=Layer.GOLD,
    grain=(
        "one party of an account on a day on which it streamed: devices that meet one another on networks at home, "
        "over the weeks up to that day. The home is the party whose device came first; of several the one with a line "
        "in a building, then the one whose television came first, then the one used on most days"
    ),
    columns=(
        Column("account_id", StringType(), "The account", required=True),
        Column("as_of", DateType(), "The day up to whose end it is told", required=True),
        Column(
            "party",
            StringType(),
            "Names the party: the first of its devices in order of ids",
            required=True,
        ),
        Column("is_home", BooleanType(), "Whether it is the home", required=True),
        Column("used_today", BooleanType(), "Whether it streamed on the day", required=True),
        Column("devices", ArrayType(StringType()), "Its devices, in order of ids", required=True),
        Column(
            "profiles", ArrayType(StringType()), "Profiles it used, in order of ids", required=True
        ),
        Column("networks", IntegerType(), "Networks it used", required=True),
        Column("country", StringType(), "Where it mostly is", required=True),
        Column("region", StringType(), "Where it mostly is", required=True),
        Column("first_on", DateType(), "First day of use in these weeks", required=True),
        Column("last_on", DateType(), "Last day of use", required=True),
        Column("days", IntegerType(), "Days of use", required=True),
        Column("played_ms", LongType(), "Time watched (ms)", required=True),
        Column(
            "features",
            ArrayType(FEATURE),
            "What is told of it as numbers, in order of names; of a home nothing",
            required=True,
        ),
    ),
    key=("account_id", "as_of", "party"),
    window="as_of",
    partition=Partition.DAY,
    checks=(between("days", 1), between("networks", 0)),
)

INTEGRITY_SIGNALS = Table(
    name="integrity_signals",
    area="integrity",
    layer=Layer.GOLD,
    grain="one account, day and kind of misuse that the day's evidence speaks for; most accounts have none",
    columns=(
        Column("account_id", StringType(), "The account", required=True),
        Column("signal_date", DateType(), "The day", required=True),
        Column("kind", StringType(), "What kind of misuse: " + ", ".join(KINDS), required=True),
        Column(
            "subject",
            StringType(),
            "Who does it: a party, a device, or the account itself",
            required=True,
        ),
        Column("probability", DoubleType(), "How likely it is misuse, 0 to 1", required=True),
        Column(
            "oddness",
            DoubleType(),
            "How odd the party is among all, 0 to 1, by the detector that knows no verdicts; null without one",
        ),
        Column("stake_ms", LongType(), "Time streamed that is at stake (ms)", required=True),
        Column(
            "reasons",
            ArrayType(REASON),
            "Why, the strongest first; weights are logarithms of odds",
            required=True,
        ),
        Column(
            "evidence",
            ArrayType(StringType()),
            "What a person would look at first, in words",
            required=True,
        ),
        Column(
            "features",
            ArrayType(FEATURE),
            "The numbers behind it, in order of names",
            required=True,
        ),
    ),
    key=("account_id", "signal_date", "kind"),
    window="signal_date",
    partition=Partition.MONTH,
    checks=(
        one_of("kind", *KINDS),
        between("probability", 0, 1),
        between("oddness", 0, 1),
        between("stake_ms", 0),
    ),
)

INTEGRITY_CASES = Table(
    name="integrity_cases",
    area="integrity",
    layer=Layer.GOLD,
    grain="the state of one case on one day: an account and kind of misuse, from its first signal until all is quiet",
    columns=(
        Column(
            "case_id",
            StringType(),
            "The case: a hash of account, kind and the first day's evidence",
            required=True,
        ),
        Column("state_date", DateType(), "The day", required=True),
        Column("account_id", StringType(), "The account", required=True),
        Column("kind", StringType(), "What kind of misuse", required=True),
        Column("opened_on", DateType(), "Day of its first signal", required=True),
        Column("last_signal_on", DateType(), "Day of the newest signal so far", required=True),
        Column("signal_days", IntegerType(), "Days with a signal so far", required=True),
        Column("status", StringType(), "One of " + ", ".join(STATUSES), required=True),
        Column("probability", DoubleType(), "The greatest so far, 0 to 1", required=True),
        Column(
            "severity",
            StringType(),
            "low, medium or high: by what is at stake and how likely it is",
            required=True,
        ),
        Column(
            "stake_ms", LongType(), "The most time at stake on a day so far (ms)", required=True
        ),
        Column(
            "suggested_action",
            StringType(),
            "What the policy suggests to a person; nothing acts by itself",
            required=True,
        ),
        Column(
            "reasons", ArrayType(REASON), "Of the day with the greatest probability", required=True
        ),
        Column("evidence", ArrayType(StringType()), "Of the same day", required=True),
        Column("features", ArrayType(FEATURE), "Of the same day", required=True),
        Column("verdict", StringType(), "The newest verdict given by this day"),
    ),
    key=("case_id", "state_date"),
    window="state_date",
    partition=Partition.MONTH,
    checks=(
        one_of("kind", *KINDS),
        one_of("status", *STATUSES),
        one_of("severity", "low", "medium", "high"),
        one_of("suggested_action", *ACTIONS),
        one_of("verdict", *VERDICTS_KNOWN),
        between("probability", 0, 1),
        satisfies("opens_before_it_stands", "opened_on <= state_date", "opened_on", "state_date"),
    ),
)

VERDICTS = Table(
    name="verdicts",
    area="integrity",
    layer=Layer.SILVER,
    kind=Kind.EXTERNAL,
    grain="one judgement of a person on a case; the newest of a case holds",
    columns=(
        Column("case_id", StringType(), "The case", required=True),
        Column("given_on", DateType(), "Day from which it holds", required=True),
        Column("number", IntegerType(), "Of the case's verdicts, from 1", required=True),
        Column(
            "verdict",
            StringType(),
            "confirm, reject, or appeal: it is to be looked at again",
            required=True,
        ),
        Column("kind", StringType(), "The case's kind", required=True),
        Column(
            "features",
            ArrayType(FEATURE),
            "The numbers behind the case, as the person saw it",
            required=True,
        ),
        Column("why", StringType(), "The reason, in words", required=True, personal="free text"),
        Column("given_by", StringType(), "Who gave it", required=True, personal="reviewer name"),
    ),
    key=("case_id", "given_on", "number"),
    window="given_on",
    partition=Partition.MONTH,
    checks=(
        one_of("verdict", *VERDICTS_KNOWN),
        between("number", 1),
        satisfies("why_is_told", "trim(why) <> ''", "why"),
    ),
)

ALLOW_LIST = Table(
    name="allow_list",
    area="integrity",
    layer=Layer.SILVER,
    kind=Kind.EXTERNAL,
    grain="one leave given to an account: a kind of misuse that raises no case until a day",
    columns=(
        Column("account_id", StringType(), "The account", required=True, personal="account id"),
        Column("kind", StringType(), "What kind of misuse", required=True),
        Column("from_on", DateType(), "First day", required=True),
        Column("until_on", DateType(), "Last day, excluded", required=True),
        Column("why", StringType(), "The reason, in words", required=True, personal="free text"),
        Column("given_by", StringType(), "Who gave it", required=True, personal="reviewer name"),
    ),
    key=("account_id", "kind", "from_on", "until_on"),
    window="from_on",
    partition=Partition.MONTH,
    checks=(
        one_of("kind", *KINDS),
        satisfies("lasts", "until_on > from_on", "until_on", "from_on"),
    ),
)

INTEGRITY_OUTLIERS = Model(
    "integrity_outliers",
    "integrity",
    "How odd a party of an account is among all parties: an isolation forest, which knows no verdicts.",
    not_for=(
        "Odd is not guilty. It stands beside the signals of a case for a person to look at, opens none by itself, and "
        "is not for refusing anybody anything.",
    ),
    weak=(
        "What is rare is odd to it: households with many devices, people who travel, those who share a network with "
        "many. There is no truth that it was judged by.",
        "A kind of misuse that is common by now is usual to it.",
    ),
)

INTEGRITY_WEIGHTS = Model(
    "integrity_weights",
    "integrity",
    "What features of a party speak for sharing and for takeover: the weights that are shipped, moved by verdicts.",
    not_for=(
        "It orders cases for people who decide. A score is no verdict: nobody is to be charged, locked out or told off "
        "by it alone.",
        "It says nothing of a person but how an account is used: not of income, family or where somebody belongs.",
    ),
    weak=(
        "Verdicts exist only of accounts that raised a case. What never did teaches nothing, however guilty.",
        "It learns the habits of those who judge, mistaken ones too; appeals that were granted correct it only once "
        "they are entered.",
    ),
)

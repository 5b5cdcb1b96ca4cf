"""The functions that an exploring query may call: pure ones only.

Nothing here reads files, addresses, dictionaries, other tables, settings or the server's state, waits, or
fails on purpose.
Families are prefixes, because the engine spells hundreds of variants (`sumIfOrNull`,
`toStartOfFifteenMinutes`).
"""

from __future__ import annotations

import re

_FAMILIES = """
abs accurateCast acos add age and any approx_top arg array ascii asin assumeNotNull atan avg bar
base32 base58 base64 bin bit byteSize cast cbrt ceil change char cityHash clamp coalesce
compareSubstrings concat contains corr cos count covar cramersV cume_dist cut date day decode
dotProduct defaultValueOfTypeName degrees deltaSum dense divide domain editDistance empty encode
endsWith entropy equals erf exp extract first_value firstLine firstNonDefault
firstSignificantSubdomain flatten floor format from gcd greater greatest group halfMD5 has hex
histogram hour hypot indexOf if ilike initcap instr int intDiv intExp interval IPv4 IPv6 is jaro
JSON jumpConsistentHash kurt lag last_value lastValue lcase lcm lead least left length less
levenshtein ln locate log lower lpad ltrim makeDate mannWhitney map match MD5 max median min minus
minute mod month monthName multi multiply murmurHash naturalSortKey negate ngram normalize not
notEmpty notEquals notILike notLike now nth_value ntile nullIf or overlay parseDateTime
parseReadable parseTimeDelta path percent_rank percentRank pi plus pmod position positive printf pow
protocol quantile quarter query_string queryString radians range rank reg reinterpret repeat replace
retention reverse right round row_number rpad rtrim runningDifference second sequence SHA sigmoid
sign simpleJSON simpleLinearRegression sin sipHash skew snowflakeID soundex space split sqrt
startsWith stddev str studentTTest subDate subtract substr sum tan tgamma theil time timeSlot to
today token topK topLevelDomain transform translate trim trunc tumble tuple ucase unhex uniq upper
URL UTCTimestamp UUID var visitParam week welch windowFunnel xor xxHash year yesterday yyyy
"""

# Names that a family would let in, and that are not pure or not theirs to ask.
_FORBIDDEN = re.compile(
    r"address|logTrace|region|structureTo|strToMap|isMergeTree|hasColumnInTable|hasThreadFuzzer|not(Null)?In(IgnoreSet)?$"
    r"|timeSeries|tokenizeQuery|format(Query|Row)|normalized?Query",
    re.IGNORECASE,
)
_ALLOWED = re.compile(rf"(?:{'|'.join(_FAMILIES.split())})\w*", re.IGNORECASE)

# Words that may stand before a bracket without being a function: keywords and parameterised types.
_WORDS = frozenset(
    [
        "all",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asof",
        "between",
        "by",
        "case",
        "columns",
        "cross",
        "cube",
        "date",
        "datetime",
        "datetime64",
        "decimal",
        "desc",
        "distinct",
        "else",
        "end",
        "enum",
        "enum8",
        "enum16",
        "except",
        "exists",
        "filter",
        "fixedstring",
        "following",
        "from",
        "full",
        "global",
        "group",
        "grouping",
        "having",
        "ilike",
        "in",
        "inner",
        "intersect",
        "interval",
        "is",
        "join",
        "left",
        "like",
        "limit",
        "lowcardinality",
        "map",
        "materialized",
        "not",
        "null",
        "nullable",
        "offset",
        "on",
        "or",
        "order",
        "outer",
        "over",
        "partition",
        "preceding",
        "prewhere",
        "qualify",
        "range",
        "replace",
        "right",
        "rollup",
        "rows",
        "select",
        "semi",
        "sets",
        "then",
        "top",
        "tuple",
        "union",
        "using",
        "when",
        "where",
        "window",
        "with",
        "within",
    ]
)


def is_word(name: str) -> bool:
    """Whether `name (` is a keyword or a type rather than a call."""
    return name.lower() in _WORDS


def is_function(name: str) -> bool:
    """Whether a query may call `name`."""
    return bool(_ALLOWED.fullmatch(name)) and not _FORBIDDEN.match(name)

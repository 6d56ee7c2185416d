"""csv.profile."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headrace.authoring.json_text import to_json_text
from headrace.authoring.outcomes import Fail
from headrace.emulator.cloudformation import ROOT
from job_types import csv_profile
from job_types.csv_profile import ColumnProfile, CsvDocument, CsvProfile, ProfileCsv, Quantiles, ValueCount
from tests.fakes.context import FakeContext


def profile(text: str, delimiter: str = ",") -> CsvProfile | Fail:
    return csv_profile.profile(CsvDocument(csv=text, delimiter=delimiter))


def column(*values: str) -> ColumnProfile:
    text = io.StringIO()
    csv.writer(text).writerows([["name", "other"], *([value, "x"] for value in values)])
    result = profile(text.getvalue())
    assert isinstance(result, CsvProfile), result
    assert result.rows == len(values)
    return result.columns[0]


def test_integers_have_exact_bounds_mean_and_quantiles() -> None:
    assert column("1", "2", "3", "4", "", "2") == ColumnProfile(
        name="name", type="integer", nulls=1, distinct=4, min=1, max=4, mean=2.4,
        quantiles=Quantiles(p25=2.0, p50=2.0, p75=3.0),
    )  # fmt: skip


def test_one_value_is_its_own_quantiles() -> None:
    assert column("7").quantiles == Quantiles(p25=7, p50=7, p75=7)


def test_integers_beyond_64_bits_stay_exact() -> None:
    assert column("123456789012345678901234567890", "1").max == 123456789012345678901234567890


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1.5", "2", "-3e2", "+.5"), "number"),
        (("true", "False", "TRUE"), "boolean"),
        (("2012-01-01", "2012-12-31"), "date"),
        (("2012-01-01", "2012-01-01T10:00:00Z"), "datetime"),
        (("2012-01-01 10:00", "2012-01-01T10:00:00.5+02:00"), "datetime"),
        (("2012-13-01", "2012-01-01"), "text"),
        (("1", "one"), "text"),
        (("nan", "inf"), "text"),
        (("1e999", "1"), "text"),
        (("\u0661", "\u0662"), "text"),
        (("", " "), "empty"),
        (("01234", "98765"), "text"),
        (("0", "-0", "+7"), "integer"),
        (("007.5", "1"), "text"),
        (("0.5", "1"), "number"),
        (("0" * 5000 + "1", "1"), "text"),
        (("9" * 5000, "1"), "text"),
        (("1" * 16_000 + "x", "1"), "text"),
        (("1e" + "9" * 5000, "1"), "text"),
        (("1" * 300, "1"), "integer"),
        (("1" * 301, "1"), "text"),
        (("1e300", "-1e300"), "number"),
        (("1e301", "1"), "text"),
        (("\x1c1", "2\x85", "\u2003 3 "), "integer"),
        (("\x1ctrue", "FALSE "), "boolean"),
        (("1_000", "2"), "text"),
        (("1", "\x001"), "text"),
        (("true", "1"), "text"),
        (("2012-01-01t10:00z", "2012-01-01T10:00:00.123456789-09"), "datetime"),
        (("2012-01-01T24:00", "2012-01-01"), "text"),
        (("2012-01-01T10:00+24:00", "2012-01-01"), "text"),
        (("2012-01-01T10:00+05:60", "2012-01-01"), "text"),
        (("0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"), "datetime"),
        (("0000-01-01", "2012-01-01"), "text"),
        (("2012-02-30", "2012-01-01"), "text"),
    ],
)
def test_a_column_has_the_narrowest_type_that_all_its_values_have(values: tuple[str, ...], kind: str) -> None:
    assert column(*values).type == kind


def test_text_has_its_most_frequent_values() -> None:
    found = column("rain", "sun", "rain", "fog", "sun", "rain")
    assert (found.distinct, found.min, found.max) == (3, "fog", "sun")
    assert found.most_frequent == [
        ValueCount(value="rain", count=3), ValueCount(value="sun", count=2), ValueCount(value="fog", count=1),
    ]  # fmt: skip


def test_long_values_are_cut_in_the_result() -> None:
    found = column("x" * 1000)
    assert found.most_frequent == [ValueCount(value="x" * 200, count=1)]


def test_dates_have_bounds() -> None:
    found = column("2012-05-01", "2011-05-01")
    assert (found.min, found.max) == ("2011-05-01", "2012-05-01")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "no header"),
        ("\n\n", 1, "no header"),
        ("a,b\n1\n", 2, "expected 2 fields as in the header, found 1"),
        ("a,b\n1,2\n1,2,3\n", 3, "found 3"),
        ('a,b\n1,"2\n', 2, "unexpected end of data"),
        ('a,b\n1,"2"x\n', 2, "expected after"),
        ("a,a\n1,2\n", 1, "columns 1 and 2 have the same name"),
        ("n" * 120_000 + "," + "n" * 120_000 + "\n", 1, "columns 1 and 2 have the same name"),
    ],
)
def test_malformed_csv_is_a_permanent_failure_with_line_and_reason(text: str, line: int, reason: str) -> None:
    failure = profile(text)
    assert isinstance(failure, Fail)
    assert failure.code == "malformed_csv"
    assert failure.reason.startswith(f"line {line}: ")
    assert reason in failure.reason
    assert len(failure.reason) < 200


def test_quotes_line_breaks_and_other_delimiters_are_read() -> None:
    result = profile('a;b\r\n"1;2";"x\ny"\r\n', ";")
    assert isinstance(result, CsvProfile)
    assert result.rows == 1
    assert result.columns[1].max == "x\ny"


def test_a_byte_order_mark_and_blank_lines_are_not_data() -> None:
    result = profile("\ufeffa,b\n\n1,2\n\n")
    assert isinstance(result, CsvProfile)
    assert (result.rows, result.columns[0].name) == (1, "a")


def test_a_header_alone_has_empty_columns() -> None:
    result = profile("a,b\n")
    assert isinstance(result, CsvProfile)
    assert [found.type for found in result.columns] == ["empty", "empty"]


@pytest.mark.parametrize(
    "fields", [{"csv": 1}, {"csv": "a", "more": 1}, {"csv": "a", "delimiter": ",,"}, {}, {"csv": "a", "delimiter": '"'}]
)
def test_a_payload_of_another_form_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CsvDocument.model_validate(fields)


@given(st.text(max_size=300))
def test_any_text_is_profiled_or_refused_but_never_crashes(text: str) -> None:
    result = profile(text)
    assert isinstance(result, CsvProfile | Fail)
    if isinstance(result, CsvProfile):
        to_json_text(result.model_dump(mode="json"))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), min_size=1))
def test_any_numbers_have_a_profile_in_order(numbers: list[float]) -> None:
    found = column(*(repr(number) for number in numbers))
    if found.quantiles is not None and found.mean is not None:
        assert isinstance(found.min, int | float)
        assert isinstance(found.max, int | float)
        middle = found.quantiles
        assert float(found.min) <= middle.p25 <= middle.p50 <= middle.p75 <= float(found.max)


def test_the_included_data_sets_have_the_figures_of_their_sources() -> None:
    weather = profile((ROOT / "examples/data/seattle-weather.csv").read_text())
    assert isinstance(weather, CsvProfile)
    assert weather.rows == 1461, "four years of days"
    by_name = {found.name: found for found in weather.columns}
    assert (by_name["date"].min, by_name["date"].max) == ("2012-01-01", "2015-12-31")
    assert (by_name["temp_max"].min, by_name["temp_max"].max) == (-1.6, 35.6)
    assert by_name["weather"].distinct == 5


async def test_the_handler_returns_the_profile() -> None:
    document = CsvDocument(csv="a,b\n1,x\n")
    assert await ProfileCsv().run(document, FakeContext()) == csv_profile.profile(document)


@pytest.mark.parametrize(
    ("values", "distinct", "least", "most"),
    [
        (("2012-01-01T10:00:00.5Z", "2012-01-01T10:00:00Z"), 2, "2012-01-01T10:00:00Z", "2012-01-01T10:00:00.5Z"),
        (("2012-01-01T10:00:00Z", "2012-01-01T09:00:00-02:00"), 2, "2012-01-01T10:00:00Z", "2012-01-01T09:00:00-02:00"),
        (("2012-01-01T12:00+02:00", "2012-01-01 10:00Z", "2012-01-01T10:00:00.000"), 1,
         "2012-01-01T12:00+02:00", "2012-01-01T12:00+02:00"),
        (("2012-01-01T10:00:00.10", "2012-01-01T10:00:00.09"), 2, "2012-01-01T10:00:00.09", "2012-01-01T10:00:00.10"),
        (("2012-01-01T10:00:00.1234567891", "2012-01-01T10:00:00.1234567890"), 2,
         "2012-01-01T10:00:00.1234567890", "2012-01-01T10:00:00.1234567891"),
        (("2012-01-01", "2012-01-01T00:30+01:00", "2012-01-01T00:00"), 2, "2012-01-01T00:30+01:00", "2012-01-01"),
        (("0001-01-01T00:00+14:00", "0001-01-01"), 2, "0001-01-01T00:00+14:00", "0001-01-01"),
        (("true", "TRUE", "false"), 2, "false", "true"),
        (("1", "+1", "1.0", "1e0", " 1"), 1, 1, 1),
        (("9007199254740993", "9007199254740992"), 2, 9007199254740992, 9007199254740993),
        (("01234", "1234"), 2, "01234", "1234"),
    ],
)  # fmt: skip
def test_values_are_compared_by_what_they_mean_and_shown_as_written(
    values: tuple[str, ...], distinct: int, least: object, most: object
) -> None:
    found = column(*values)
    assert (found.distinct, found.min, found.max) == (distinct, least, most)


def test_spellings_of_a_boolean_are_counted_together() -> None:
    assert column("TRUE", "true", "false").most_frequent == [
        ValueCount(value="TRUE", count=2), ValueCount(value="false", count=1),
    ]  # fmt: skip


@given(st.text(max_size=20) | st.from_regex(r"[-+0-9.eE:TZ \x1c\x85]{0,30}", fullmatch=True))
def test_a_cell_that_is_read_as_a_type_is_a_column_of_that_type(cell: str) -> None:
    result = profile('a,b\n"' + cell.replace('"', '""') + '",x\n')
    assert isinstance(result, CsvProfile)

"""URLs and permitted hosts."""

import pytest

from headrace.http.url import parse_authority, permits, split_url


@pytest.mark.parametrize(
    ("url", "netloc", "target", "port"),
    [
        ("http://h", "h", "/", 80),
        ("HTTPS://H.Example:8443/a", "H.Example:8443", "/a", 8443),
        ("https://h:443", "h:443", "/", 443),
        ("http://h:/a", "h:", "/a", 80),
        ("http://h?", "h", "/?", 80),
        ("http://h/a?", "h", "/a?", 80),
        ("http://h?a=/b", "h", "/?a=/b", 80),
        ("http://h/a#f?x", "h", "/a", 80),
        ("http://h#f", "h", "/", 80),
        ("http://[::1]:81/%2e%2E/", "[::1]:81", "/%2e%2E/", 81),
        ("http://h//a//../b;c=d?x=[1]&y={}|^\\", "h", "//a//../b;c=d?x=[1]&y={}|^\\", 80),
    ],
)
def test_a_url_is_parsed_without_a_change(url: str, netloc: str, target: str, port: int) -> None:
    parts = split_url(url)
    assert (parts.netloc, parts.target, parts.port) == (netloc, target, port)


@pytest.mark.parametrize(
    "url",
    ["", "http://", "http:///a", "//h/a", "h/a", "ftp://h/", "http:/h", "http://:80/", "http://h:0/", "http://h:65536/",
     "http://h:1a/", "http://h:80:80/", "http://::1/", "http://[::1/", "http://[1.2.3.4]/", "http://[v1.a]/", "http://u@h/",
     "http://u:p@h/", "http://@h/", "http://h\\@x/", "http://h /", "http://h/\t", "http://h/\n", "http://h/\x7f", "http://é/",
     "http://h/é", "http://%31/", "http://./", "http://h:" + "9" * 5000, "http://" + "a" * 300],
)  # fmt: skip
def test_a_url_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host|credentials"):
        split_url(url)


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("localhost", "http://localhost:8080/"),
        ("LOCALHOST.", "http://localhost/"),
        ("localhost", "http://LocalHost./"),
        ("localhost:80", "http://localhost/"),
        ("localhost:443", "https://localhost/"),
        (" a:1 ,, localhost:80 ", "http://localhost:80/"),
        ("[::1]:8080", "http://[::1]:8080/"),
        ("[::1]", "http://[::1]:8080/"),
        ("::1", "http://[::1]/"),
        ("[0:0:0:0:0:0:0:1]:80", "http://[::0001]/"),
        ("FD00::A", "http://[fd00:0::a]/"),
        ("10.0.0.1", "http://10.0.0.1:5/"),
    ],
)
def test_a_host_is_permitted_in_any_spelling(setting: str, url: str) -> None:
    assert permits(setting, split_url(url))


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("", "http://localhost/"),
        (",", "http://localhost/"),
        ("localhost:8080", "http://localhost/"),
        ("localhost", "http://a.localhost/"),
        ("localhost", "http://localhost.example/"),
        ("[::1]:8080", "http://[::1]:8081/"),
        ("[::1]:8080", "http://[::2]:8080/"),
        ("::1:8080", "http://[::1]:8080/"),
        ("127.0.0.1", "http://127.1/"),
        ("127.0.0.1", "http://2130706433/"),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
        ("http://localhost", "http://localhost/"),
        ("*", "http://localhost/"),
        ("localhost:http", "http://localhost/"),
        ("localhost:" + "9" * 5000, "http://localhost/"),
        ("[::1", "http://[::1]/"),
    ],
)
def test_nothing_else_is_permitted(setting: str, url: str) -> None:
    assert not permits(setting, split_url(url))


def test_an_authority_without_a_host_is_refused() -> None:
    assert [parse_authority(text) for text in ("", ":80", ".", "[]", "[]:80", "a b")] == [None] * 6

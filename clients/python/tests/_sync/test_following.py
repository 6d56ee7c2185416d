# Generated from _async by scripts/unasync.py: change that, and run `make docs`.
"""Waiting, streaming, iterating, documents and files."""

import io
from pathlib import Path

import httpx
import pytest

from headrace_client import Client, JobFailed, NotAllowed, NotHeadrace, Unreachable, WaitTimeout
from tests.world import URL, World, job, problem

DONE = job(status="succeeded", result={"rows": 1}, version=3)
UPLOAD = {"method": "PUT", "url": "https://store.test/a?signature=s", "headers": {"content-length": "4"}}


def client_of(world: World) -> Client:
    transport = httpx.MockTransport(world.handle)
    return Client(URL, token="secret", transport=transport, seams=world.seams())


def test_waiting_lets_the_server_hold_the_request_back() -> None:
    world = World([job(), job(status="running"), DONE], takes=20)
    with client_of(world) as client:
        ended = client.wait("7")
    assert (ended.status, ended.result) == ("succeeded", {"rows": 1})
    assert world.sent("prefer") == ["wait=20"] * 3
    assert world.slept == []


def test_where_no_request_is_held_back_polls_are_paused() -> None:
    world = World([job(), job(), job(), job(), job(), DONE])
    with client_of(world) as client:
        client.wait("7")
    assert world.slept == [0.2, 0.4, 0.8, 1.6, 2.0]


def test_a_wait_ends_in_time_with_what_was_seen_last() -> None:
    world = World([job(status="running")], takes=4)
    with client_of(world) as client:
        with pytest.raises(WaitTimeout, match="is still running") as raised:
            client.wait("7", timeout=10)
        assert isinstance(raised.value, TimeoutError)
        assert raised.value.job.status == "running"
        assert world.sent("prefer") == ["wait=10", "wait=5", "wait=1"]
        with pytest.raises(WaitTimeout):
            client.wait("7", timeout=0)


def test_a_result_is_that_of_a_job_that_succeeded() -> None:
    with client_of(World([DONE])) as client:
        assert client.result("7") == {"rows": 1}
    frames = [{"file": "a.py", "line": 7, "function": "run"}]
    failed = job(status="failed", error={"code": "handler_error", "message": "KeyError: 1", "frames": frames})
    with client_of(World([failed])) as client:
        with pytest.raises(JobFailed, match="has failed: handler_error: KeyError: 1") as raised:
            client.result("7")
        assert raised.value.job.error is not None
        assert raised.value.job.error.frames[0].line == 7
    with client_of(World([job(status="cancelled")])) as client:
        with pytest.raises(JobFailed, match="has been cancelled"):
            client.result("7")


def test_a_large_result_is_fetched_without_the_token() -> None:
    large = job(status="succeeded", result_ref={"size": 9, "href": "/v1/jobs/7/result"})
    link = httpx.Response(307, headers={"location": "https://store.test/r?signature=s"})
    world = World([large, link, httpx.Response(200, text="[1, 2]")])
    with client_of(world) as client:
        assert client.result("7") == [1, 2]
    assert [request.url.host for request in world.seen] == ["api.test", "api.test", "store.test"]
    assert world.sent("authorization") == ["Bearer secret", "Bearer secret", None]


def test_a_document_that_is_not_json_is_not_headrace() -> None:
    link = httpx.Response(307, headers={"location": "https://store.test/r?signature=s"})
    with client_of(World([link, httpx.Response(200, text="<html>")])) as client:
        with pytest.raises(NotHeadrace, match="a document that is not JSON"):
            client.document("7", "result")


def test_a_small_document_is_the_response_itself() -> None:
    with client_of(World([httpx.Response(200, text="null")])) as client:
        assert client.document("7", "payload") is None


def test_a_stream_has_each_change_until_the_end() -> None:
    half = job(status="running", version=2, progress={"fraction": 0.5, "message": "half"})
    world = World([job(), httpx.Response(304), half, httpx.Response(304), DONE])
    with client_of(world) as client:
        seen = [(each.status, each.progress.fraction if each.progress else None) for each in client.stream("7")]
    assert seen == [("queued", None), ("running", 0.5), ("succeeded", None)]
    assert world.sent("if-none-match") == [None, '"1"', '"1"', '"2"', '"2"']
    assert world.slept == [1.0] * 4


def test_a_stream_ends_in_time() -> None:
    world = World([job(), httpx.Response(304)])
    with client_of(world) as client:
        with pytest.raises(WaitTimeout):
            _ = [each for each in client.stream("7", timeout=2.5)]
    assert world.slept == [1.0, 1.0, 0.5]


def test_jobs_come_from_all_pages_and_no_page_is_read_that_is_not_needed() -> None:
    pages = [{"items": [{**job().json(), "id": f"{n}"}], "next": f"c{n}" if n < 2 else None} for n in range(3)]
    world = World([httpx.Response(200, json=page) for page in pages])
    with client_of(world) as client:
        found = [each.id for each in client.jobs(status="failed", include=["payload", "result"], page_size=1)]
        assert found == ["0", "1", "2"]
        assert [request.url.params.get("cursor") for request in world.seen] == [None, "c0", "c1"]
        first = dict(world.seen[0].url.params)
        assert first == {"limit": "1", "status": "failed", "include": "payload,result"}
        world.steps[:] = [httpx.Response(200, json=pages[0])]
        for each in client.jobs():
            assert each.id == "0"
            break
    assert len(world.seen) == 4


@pytest.mark.parametrize("page", [{}, {"items": 7}, {"items": [{}]}, {"items": [], "next": 7}])
def test_a_page_of_another_form_is_not_headrace(page: dict[str, object]) -> None:
    with client_of(World([httpx.Response(200, json=page)])) as client:
        with pytest.raises(NotHeadrace):
            _ = [each for each in client.jobs()]


def test_a_file_is_uploaded_past_the_api_and_again_if_the_connection_breaks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\n1\n")
    created = httpx.Response(201, json={"id": "f", "name": "a.csv", "upload": UPLOAD})
    world = World([created, httpx.ReadError("cut"), httpx.Response(200)])
    with client_of(world) as client:
        file = client.upload(tmp_path / "a.csv")
    assert file.ref == {"id": "f"}
    assert "upload" not in file.raw
    assert world.body() == {"name": "a.csv", "content_type": "text/csv", "size": 4}
    assert [request.content for request in world.seen[1:]] == [b"a\n1\n"] * 2
    assert world.sent("authorization") == ["Bearer secret", None, None]


def test_a_file_has_the_media_type_of_its_path_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\n1\n")
    world = World([httpx.Response(201, json={"id": "f", "upload": UPLOAD}), httpx.Response(200)])
    with client_of(world) as client:
        client.upload(tmp_path / "a.csv", name="other.txt")
    assert world.body() == {"name": "other.txt", "content_type": "text/csv", "size": 4}


def test_an_open_file_is_uploaded_from_where_it_stands() -> None:
    world = World([httpx.Response(201, json={"id": "f", "upload": UPLOAD}), httpx.Response(200)])
    content = io.BytesIO(b"skipped,rest")
    content.seek(8)
    with client_of(world) as client:
        client.upload(content)
    assert world.body() == {"name": "file", "content_type": "application/octet-stream", "size": 4}
    assert world.seen[1].content == b"rest"


def test_a_refusal_of_the_store_has_its_own_words() -> None:
    refused = httpx.Response(403, text="<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
    world = World([httpx.Response(201, json={"id": "f", "upload": UPLOAD}), refused])
    with client_of(world) as client:
        with pytest.raises(NotAllowed, match="AccessDenied: Request has expired"):
            client.upload(io.BytesIO(b"rest"))


def test_a_download_is_complete_or_not_there(tmp_path: Path) -> None:
    link = httpx.Response(307, headers={"location": "https://store.test/r?signature=s"})
    stored = httpx.Response(
        200, content=b"abc", headers={"content-disposition": "attachment; filename*=UTF-8''%C3%A9.csv"}
    )
    with client_of(World([link, problem(503, "SlowDown"), stored])) as client:
        done = client.download("f", tmp_path / "here.csv")
    assert (done.size, done.name, done.path) == (3, "é.csv", tmp_path / "here.csv")
    assert (tmp_path / "here.csv").read_bytes() == b"abc"
    with client_of(World([link, httpx.ReadError("cut")])) as client:
        with pytest.raises(Unreachable, match="https://store") as raised:
            client.download("f", tmp_path / "other.csv")
    assert "signature" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["here.csv"]


def test_a_file_without_a_link_is_not_headrace() -> None:
    with client_of(World([httpx.Response(200, json={})])) as client:
        with pytest.raises(NotHeadrace):
            client.download("f", io.BytesIO())

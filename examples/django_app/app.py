"""A Django application in one file: profiling a CSV document is a job, whose result is asked for later."""

import json
import os
import sys
from functools import cache

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import path
from django.views import View

from headrace_client import Client, InvalidRequest, Job, NotFound

settings.configure(
    DEBUG=False,
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for this machine"),
    ALLOWED_HOSTS=["localhost", "127.0.0.1", "testserver"],
    ROOT_URLCONF=__name__,
)


@cache
def headrace() -> Client:
    """One client for the process, made at its first use (after a fork): it may be shared by threads."""
    return Client(os.environ["HEADRACE_URL"], token=lambda: os.environ["HEADRACE_TOKEN"])


class Reports(View):
    """POST /reports: submits the job, and says which it is."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """The table's name is the key, so that a table is profiled once, however often it is posted."""
        table = json.loads(request.body)
        try:
            job = headrace().submit("csv.profile", {"csv": table["csv"]}, key=f"report-{table['name']}")
        except InvalidRequest as refused:
            return JsonResponse({"detail": refused.problem.detail}, status=422)
        return JsonResponse(_report(job), status=202)


class Report(View):
    """GET /reports/ID: says how far it is, with the result when it is there."""

    def get(self, _request: HttpRequest, id: str) -> HttpResponseBase:
        """The job, as the application shows it."""
        try:
            return JsonResponse(_report(headrace().get(id)))
        except NotFound:
            return JsonResponse({"detail": "There is no such report."}, status=404)


def _report(job: Job) -> dict[str, object]:
    return {"id": job.id, "status": job.status, "result": job.result}


urlpatterns = [path("reports", Reports.as_view()), path("reports/<id>", Report.as_view())]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)

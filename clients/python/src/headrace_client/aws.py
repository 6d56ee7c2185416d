"""Requests signed with AWS credentials (Signature Version 4), for callers in an AWS account.

Needs the extra `headrace-client[aws]`.
"""

import os
from collections.abc import Generator

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import Session

SERVICE = "execute-api"


class SigV4(httpx.Auth):
    """Signs each request, again when it is made again, with credentials that renew themselves.

    `Client(url, auth=SigV4())` takes region and credentials from where all AWS tools find them: variables, the
    profile, the role of the function or instance. Raises `ValueError` if there are none.
    """

    requires_request_body = True

    def __init__(
        self, region: str | None = None, credentials: Credentials | None = None, service: str = SERVICE
    ) -> None:
        session = Session()
        found = credentials or session.get_credentials()
        place = region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
        if found is None:
            raise ValueError("there are no AWS credentials; set AWS_PROFILE or AWS_ACCESS_KEY_ID")
        if not isinstance(place, str):
            raise ValueError("there is no AWS region; give one, or set AWS_REGION or AWS_DEFAULT_REGION")  # noqa: TRY004 - a setting
        self._credentials, self._region, self._service = found, place, service

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request: its method, address, body and time."""
        signed = AWSRequest(request.method, str(request.url), data=request.content, headers={})
        signed.headers["host"] = request.headers["host"]
        SigV4Auth(self._credentials.get_frozen_credentials(), self._service, self._region).add_auth(signed)
        for name, value in signed.headers.items():
            request.headers[name] = value
        yield request

"""The AWS credentials of the local stack's own clients: dummy ones, but for a database of AWS's."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from functions.settings import LOCAL_BLOBS_VARIABLE, LOCAL_DATABASE_VARIABLE, LOCAL_QUEUES_VARIABLE
from headrace.emulator.cloudformation import PROFILE_VARIABLES
from headrace.emulator.database import local_credentials


def is_of_aws(endpoint_url: str) -> bool:
    """Whether an endpoint is AWS's own."""
    return (urlsplit(endpoint_url).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def credentials_for(endpoint_url: str) -> dict[str, str]:
    """This shell's AWS credentials for an AWS endpoint; dummy ones for any other."""
    if is_of_aws(endpoint_url):
        host = urlsplit(endpoint_url).hostname or ""  # dynamodb.REGION.amazonaws.com
        region = {"AWS_DEFAULT_REGION": host.split(".")[1], "AWS_REGION": host.split(".")[1]}
        return {name: value for name, value in os.environ.items() if name.startswith("AWS_")} | region
    return local_credentials()


def use_credentials(endpoint_url: str) -> dict[str, str]:
    """Make this process use the credentials for an endpoint, and return them; a local one ignores `AWS_PROFILE`."""
    credentials = credentials_for(endpoint_url)
    os.environ.update(credentials)
    if not set(PROFILE_VARIABLES) & credentials.keys():
        for name in PROFILE_VARIABLES:
            os.environ.pop(name, None)
    return credentials


def with_profile(profile: Mapping[str, str], endpoint_url: str, beside_url: str, path: str) -> dict[str, str]:
    """The variables of a function whose AWS settings are its handlers' own: local URLs have their credentials.

    `endpoint_url` is the database's, `beside_url` that of queues and S3.
    """
    key, secret = local_credentials()["AWS_ACCESS_KEY_ID"], local_credentials()["AWS_SECRET_ACCESS_KEY"]
    urls = {LOCAL_DATABASE_VARIABLE: endpoint_url, LOCAL_QUEUES_VARIABLE: beside_url, LOCAL_BLOBS_VARIABLE: beside_url}
    own = {name: url.replace("://", f"://{key}:{secret}@", 1) for name, url in urls.items()}
    return {**profile, **own, "PYTHONPATH": path}

"""The files of a new project, in which `my-jobs` and `my_jobs` stand for its own names."""

from collections.abc import Mapping

_SETTINGS = """\
# What Headrace has to know of this project: `headrace dev`, `headrace run`, `headrace build` and pytest read it.
job_types = "my_jobs"

# What the functions that run the job types get on AWS. Text may refer to parameters: "${OrdersBucket}".
#
# [environment]
# BUCKET = "${OrdersBucket}"
#
# [parameters.OrdersBucket]
# description = "Bucket with the orders"     # also: default, secret = true, allowed_values, allowed_pattern, type
#
# [[rights]]
# actions = ["s3:GetObject"]
# resources = ["arn:${AWS::Partition}:s3:::${OrdersBucket}/*"]
"""

_PACKAGE = '''\
"""The job types of my-jobs."""

from headrace import Handler

from my_jobs.orders import total_of_order

JOB_TYPES: tuple[Handler, ...] = (total_of_order,)
'''

_ORDERS = '''\
"""Orders."""

import logging
from datetime import timedelta

from headrace import Fail, JobContext, job_type
from pydantic import BaseModel

logger = logging.getLogger(__name__)


class Order(BaseModel):
    """What is bought: prices in cents."""

    prices: list[int]


class Total(BaseModel):
    """What it costs, in cents."""

    total: int


@job_type("orders.total", timeout=timedelta(seconds=10), max_attempts=3)
async def total_of_order(order: Order, context: JobContext) -> Total | Fail:
    """Add up an order."""
    if not order.prices:
        return Fail(reason="there is nothing in the order")
    logger.info("adding up %d prices", len(order.prices))
    await context.report_progress(0.5, "adding up")
    return Total(total=sum(order.prices))
'''

_TEST = '''\
"""An order is added up."""

from headrace.testing import run_job

from my_jobs.orders import Order, Total, total_of_order


def test_the_prices_are_added_up() -> None:
    job = run_job(total_of_order, Order(prices=[300, 250]))
    assert job.result == Total(total=550)


def test_an_empty_order_fails_for_good() -> None:
    job = run_job(total_of_order, Order(prices=[]))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.message == "there is nothing in the order"
'''

_REQUIREMENTS = """\
# The packages that the job types need where they run, one a line; then `headrace lock`.
# Headrace brings pydantic, boto3, aioboto3 and aiohttp. What a payload's model needs goes into requirements-api.txt.
"""

_PYTEST = """\
[tool.pytest.ini_options]
pythonpath = ["."]
testpaths = ["tests"]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
"""

_IGNORED = """\
.aws-sam/
.env
.headrace/
.pytest_cache/
.venv/
__pycache__/
"""

_README = """\
# my-jobs

Background jobs, run by Headrace.

| | |
|---|---|
| `my_jobs/` | the job types; `my_jobs/__init__.py` lists them |
| `tests/` | their tests |
| `headrace.toml` | what they need of a deployment: rights, environment variables, parameters |
| `requirements.txt` | the packages that they need; `requirements.lock` says which releases |

## Every day

```sh
pytest                                                        # the tests; needs pytest and pytest-asyncio
headrace run orders.total --payload '{"prices": [300, 250]}'  # one attempt in this process; breakpoint() works
headrace dev                                                  # the local stack; it reloads changed code
headrace submit orders.total --payload '{"prices": [1]}' --wait    # in another terminal
```

## A package more

Name it in `requirements.txt`, then:

```sh
headrace lock                                 # adds it to requirements.lock; --upgrade takes newer releases of all
pip install --no-deps -r requirements.lock    # for this machine; what is not in it, Headrace brings
```

Import a heavy package inside the function that uses it: the API reads the job types too, and has only
what `requirements-api.txt` names.

## To AWS

```sh
headrace check --update                       # notes the payloads' schemas, before each deployment that changes them
headrace build                                # the artifacts and the template, in .aws-sam/build
sam deploy --stack-name my-jobs --capabilities CAPABILITY_IAM --resolve-s3 --parameter-overrides \\
  JwtIssuer=https://issuer.example.com JwtAudience=my-audience CursorKey=$(openssl rand -hex 32)
```

`sam deploy` is that of the AWS SAM CLI. A stack keeps its parameters: later give only those that change.
"""

FILES: Mapping[str, str] = {
    ".gitignore": _IGNORED,
    "README.md": _README,
    "headrace.toml": _SETTINGS,
    "my_jobs/__init__.py": _PACKAGE,
    "my_jobs/orders.py": _ORDERS,
    "pyproject.toml": _PYTEST,
    "requirements.txt": _REQUIREMENTS,
    "tests/test_orders.py": _TEST,
}

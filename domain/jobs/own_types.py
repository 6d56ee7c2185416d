"""The names of Headrace's own job types: nobody is told of their jobs, and no statistics count them."""

from typing import Final

WEBHOOK_DELIVER: Final = "webhook.deliver"
CHILDREN_CANCEL: Final = "children.cancel"
OWN_TYPES: Final = frozenset({WEBHOOK_DELIVER, CHILDREN_CANCEL})

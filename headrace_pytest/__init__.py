"""The pytest plugin. It imports Headrace only in its fixtures, so that it costs other projects nothing."""

"""/ and /docs: the API documentation for people. Only `routes.py` is imported before somebody asks for a page."""

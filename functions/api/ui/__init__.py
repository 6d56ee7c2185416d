"""/ui: the page on which people see and steer their jobs; its sources are in `ui/`."""

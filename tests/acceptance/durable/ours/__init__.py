"""The examples as handlers of Headrace."""

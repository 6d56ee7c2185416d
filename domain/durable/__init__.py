"""Durable handlers: steps that are remembered, sleeps, signals."""

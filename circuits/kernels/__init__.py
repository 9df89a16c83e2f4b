"""Compiled numerics shared by the engines, and the one decorator that compiles them."""

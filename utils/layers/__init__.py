"""Layers and networks that a chapter derives and later chapters use again."""

"""The lean engine: llama, Qwen2 and Qwen3 on the CPU, as fast as the memory allows.

A model is a flat program of operations (``program``) over packed weights (``formats``), run by a few
threads (``team``) through kernels compiled once a machine (``kernels``, ``emit``). Keys and values live
in pages (``pages``) so that prompts share what they have in common.
"""

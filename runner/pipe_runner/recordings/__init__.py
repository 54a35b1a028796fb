"""Calls that leave the machine, kept in a folder of files, and given back from there without going out."""

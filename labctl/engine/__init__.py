"""Carrying out a plan: steps over SSH, machines side by side, each step as soon as what it needs is done."""

#!/usr/bin/env python3
"""Licences, sources and bans of deny.toml, held against Cargo.lock without cargo-deny and without a network.

Advisories need a network: `cargo deny check advisories`.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RULES = tomllib.loads((ROOT / "deny.toml").read_text())


def allowed(licence, allow):
    """Whether an SPDX expression is met by what is allowed; AND binds more than OR, `/` is an older OR."""
    words = re.findall(r"\(|\)|AND|OR|[^\s()]+(?: WITH \S+)?", licence.replace("/", " OR "))

    def either():
        met = both()
        while words and words[0] == "OR":
            words.pop(0)
            met |= both()
        return met

    def both():
        met = one()
        while words and words[0] == "AND":
            words.pop(0)
            met &= one()
        return met

    def one():
        word = words.pop(0)
        if word != "(":
            return word in allow
        met = either()
        words.pop(0)
        return met

    return either()


def trouble(packages):
    allow = set(RULES["licenses"]["allow"])
    registries = {f"registry+{url}" for url in RULES["sources"]["allow-registry"]}
    banned = {rule["crate"] for rule in RULES["bans"]["deny"]}
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if not package["license"] or not allowed(package["license"], allow):
            yield f"{name}: its licence is {package['license']}, which deny.toml does not allow"
        if package["source"] not in registries | {None}:
            yield f"{name}: it comes from {package['source']}"
        if package["name"] in banned:
            yield f"{name}: deny.toml bans it"


assert allowed("MIT/Apache-2.0", {"MIT"}) and allowed("A AND (B OR C)", {"A", "C"})
assert not allowed("GPL-3.0", {"MIT"}) and not allowed("A AND (B OR C)", {"B", "C"}) and allowed("A OR B AND C", {"A"})
command = ["cargo", "metadata", "--format-version", "1", "--locked"]
packages = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)["packages"]
found = list(trouble(packages))
print("\n".join(found) or f"{len(packages)} crates: licences, sources and bans as deny.toml says")
sys.exit(bool(found))

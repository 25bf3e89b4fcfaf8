# SPDX-License-Identifier: Apache-2.0
"""What our headers declare, what a compilation compared, and which symbol is which version of an interface.

A declaration is (kind, name): a type, a member, a constant, an entry point, a symbol."""

import re
from typing import NamedTuple, Optional

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
UNREADABLE = re.compile(r"^[ \t]*(?:#[ \t]*define|typedef|enum|union)\b.*", re.M)


class EntryPoint(NamedTuple):
    symbol: str
    name: Optional[str]     # NVML's have neither
    version: Optional[int]


def read(path):
    return COMMENT.sub(" ", path.read_text(encoding="utf-8"))


def entry_points(path):
    """The rows of NEARPOOL_CUDA or NEARPOOL_NVML."""
    rows = re.findall(r"\bNEARPOOL_(?:CUDA|NVML)\(\s*\w+,\s*(\w+)(?:,\s*(\w+),\s*(\d+))?", read(path))
    return [EntryPoint(symbol, name or None, int(version) if version else None) for symbol, name, version in rows]


def body_at(text, start):
    """What stands between the brace at start and the one that closes it, inner braces and what is in them left out."""
    depth, body = 0, []
    for character in text[start:]:
        depth -= character == "}"
        if depth == 0 and character == "}":
            break
        if depth == 1 and character != "}":
            body.append(character)
        depth += character == "{"
    return "".join(body).replace("{", "")


def members(text):
    for match in re.finditer(r"^struct\s+(?:alignas\([^)]*\)\s*)?(\w+)\s*(?=\{)", text, re.M):
        yield "type", match[1]
        for member in body_at(text, match.end()).split(";"):
            name = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", member)
            if name:
                yield "member", f"{match[1]}.{name[1]}"


def declared(ours):
    """All that a header and a list of entry points declare."""
    text = read(ours.declarations)
    found = set(members(text))
    found |= {("type", name) for name in re.findall(r"^using\s+(\w+)\s*=", text, re.M)}
    found |= {("constant", name) for name in re.findall(r"\bconstexpr\s[^=({;]*?(\w+)\s*[={]", text)}
    for entry_point in entry_points(ours.entry_points):
        found |= {("entry point", entry_point.symbol), ("symbol", entry_point.symbol)}
    return found


def unreadable(ours):
    """Ways to declare things that declared() does not look for."""
    for line in UNREADABLE.findall(read(ours.declarations)):
        yield f"{ours.declarations.name}: {line.strip()}: say it with using, struct or constexpr, which this check can read"


def left_out(ours, seen):
    """seen: what was compared with any version."""
    found = declared(ours)
    for kind, name in sorted(found - seen):
        yield f"{ours.declarations.name}: {kind} {name} is compared with no version of the Toolkit"
    for kind, name in sorted(seen - found):
        if kind == "entry point":
            yield f"{ours.entry_points.name}: the row of {name} is written so that this check cannot read it"


def compared(preprocessed):
    """All whose comparison the compiler was given: the texts of the static assertions name them."""
    joined = re.sub(r'"\s*"', "", preprocessed)
    return set(re.findall(r'"(type|member|constant|entry point|symbol) ([\w.]+): ', joined))


def interfaces(preprocessed):
    """{(name, version): symbol} of the driver. A name's first exported function (cuFoo) is its oldest version, its second
    one (cuFoo_v2) the next. cudaTypedefs.h names the versions, cuda.h the functions; that their numbers agree is asked."""
    symbols, versions = {}, {}
    for symbol, name, number in re.findall(r"\bCUresult\s+((cu\w+?)(?:_v(\d+))?)\s*\(", preprocessed):
        symbols.setdefault(name, {})[int(number or 1)] = symbol
    for name, version in re.findall(r"\*\s*PFN_(cu\w+?)_v(\d+)\)", preprocessed):
        versions.setdefault(name, set()).add(int(version))
    found = {}
    for name in symbols.keys() & versions.keys():
        if len(symbols[name]) == len(versions[name]):
            found.update({(name, version): symbols[name][number]
                          for number, version in zip(sorted(symbols[name]), sorted(versions[name]))})
    return found


def wrong_versions(path, preprocessed):
    """Types alone do not tell cuStreamDestroy from cuStreamDestroy_v2, which cuGetProcAddress calls version 4000."""
    known = interfaces(preprocessed)
    in_these_headers = compared(preprocessed)
    for symbol, name, version in entry_points(path):
        right = known.get((name, version))
        if ("symbol", symbol) in in_these_headers and right != symbol:
            yield f"symbol {symbol}: is not version {version} of {name}, which is {right or 'unknown to these headers'}"

# SPDX-License-Identifier: Apache-2.0
"""Reads the public headers: functions with their comments, types, constants and macros. Standard library only.

The headers are plain C99 in one style (see tests/lint), so regular expressions on comment-free text are enough.
"""

import re
from collections import namedtuple
from pathlib import Path

Function = namedtuple("Function", "name result params must_check header line comment")
Header = namedtuple("Header", "name text bare")

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
EXTERN_C = re.compile(r'extern\s+"C"\s*\{')
PROTOTYPE = re.compile(r"\bNEAR_API\s+([^;]*);")
NAME = re.compile(r"^(?P<result>.*?)(?P<name>\w+)\s*\((?P<params>.*)\)$", re.S)


def blank(match):
    """Spaces in place of a match, so that positions and lines stay what they were."""
    return re.sub(r"[^\n]", " ", match.group(0))


def without_comments(text):
    return COMMENT.sub(blank, text)


def declarations_only(text):
    """Neither comments nor preprocessor lines nor extern "C"."""
    bare = DIRECTIVE.sub(blank, without_comments(text))
    return EXTERN_C.sub(blank, bare)


def read_headers(root):
    paths = sorted((Path(root) / "include" / "nearpool").glob("*.h"))
    texts = [(path.name, path.read_text(encoding="utf-8")) for path in paths]
    return [Header(name, text, declarations_only(text)) for name, text in texts]


def comment_before(text, position):
    """The comment that ends right before a position; empty when there is none."""
    before = text[:position].rstrip()
    if not before.endswith("*/"):
        return ""
    return before[before.rfind("/*"):]


def functions_of(header):
    found = []
    for match in PROTOTYPE.finditer(header.bare):
        words = " ".join(match.group(1).split())
        must_check = words.startswith("NEAR_MUST_CHECK ")
        parts = NAME.match(words[len("NEAR_MUST_CHECK "):] if must_check else words)
        line = header.bare.count("\n", 0, match.start()) + 1
        if parts is None:
            raise ValueError(f"{header.name}:{line}: cannot read this prototype: {words}")
        found.append(Function(parts["name"], parts["result"].strip(), parts["params"].strip(), must_check, header.name,
                              line, comment_before(header.text, match.start())))
    return found


def all_functions(headers):
    return [function for header in headers for function in functions_of(header)]


def version_of(headers):
    """(major, minor, patch) of version.h."""
    text = next((header.text for header in headers if header.name == "version.h"), "")
    parts = [re.search(rf"#define NEAR_VERSION_{part}\s+(\d+)", text) for part in ("MAJOR", "MINOR", "PATCH")]
    if None in parts:
        raise ValueError("version.h does not define NEAR_VERSION_MAJOR, _MINOR and _PATCH")
    return tuple(int(part.group(1)) for part in parts)


def map_nodes(text):
    """The nodes of a version script, in order: name -> list of exported names."""
    nodes = {}
    for match in re.finditer(r"(\w[\w.]*)\s*\{(.*?)\}", without_comments(text), re.S):
        body = re.sub(r"\blocal\s*:.*", "", match.group(2), flags=re.S)
        nodes[match.group(1)] = re.findall(r"(\w+)\s*;", body)
    return nodes

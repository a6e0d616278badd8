#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What CONTRIBUTING.md and docs/ARCHITECTURE.md say of the sources, read off them: who may include whom, sizes, what a .c file has not."""
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("common", "vnf", "mano")
FILE_LINES, FUNCTION_LINES = 640, 100  # "about 600", said in lines

# Of each module what it may include besides itself. A module that is missing here fails, so that a new one is thought about.
BELOW = {
    "util": set(),
    "config": {"util"},
    "manage": {"util", "config"},
    "packet": {"util"},
    "flow": {"util", "packet"},
    "match": {"util", "packet"},
    "edge": {"util", "config", "packet", "flow", "match"},
    "port": {"util", "config", "manage", "packet"},
    "runtime": {"util", "config", "manage", "packet", "flow", "match", "edge", "port"},
}
FOR_FUNCTIONS = {"util", "config", "manage", "packet", "flow", "match", "edge", "runtime"}
FOR_MANO = {"util", "config", "manage"}
MANO = {
    "driver": set(),
    "store": set(),
    "lifecycle": {"driver", "store"},
    "api": {"lifecycle", "store"},
    "cli": set(),
    "sluiced": {"driver", "store", "lifecycle", "api"},
}
WITHOUT_DPDK = {"common/util", "common/config", "common/manage"}


def allowed(path):
    """The modules that a file may include, by the first word of the include."""
    top, module = path.parts[:2]
    if top == "common":
        return BELOW[module] | {module}
    if top == "mano":
        return FOR_MANO | MANO[module] | {module}
    functions = {p.name for p in (ROOT / "vnf").iterdir() if p.is_dir()}
    return FOR_FUNCTIONS | (functions if module == "chain" else {module})


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            yield path.relative_to(ROOT), path.read_text()


def includes(text, marks):
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"\s*#\s*include\s*" + marks, line)
        if found:
            yield number, found.group(1)


def functions(text):
    """(line, length) of each function: the style has its braces in the first column."""
    begin = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            yield begin, number - begin + 1
            begin = None


class Rules(unittest.TestCase):
    def none(self, wrong, rule):
        if wrong:
            self.fail(f"{rule}:\n  " + "\n  ".join(wrong))

    def test_dependencies_point_downward(self):
        wrong = []
        for path, text in sources(*CODE):
            for line, name in includes(text, r'"([^"]+)"'):
                if name.split("/")[0] not in allowed(path):
                    wrong.append(f'{path}:{line}: "{name}"')
        self.none(wrong, "includes that point upward or into another function")

    def test_what_never_sees_dpdk(self):
        wrong = [f"{path}:{line}: <{name}>" for path, text in sources("common", "mano")
                 for line, name in includes(text, r"<(rte_[^>]+)>")
                 if path.parts[0] == "mano" or "/".join(path.parts[:2]) in WITHOUT_DPDK]
        self.none(wrong, "DPDK is for what moves packets")

    def test_sizes(self):
        wrong = []
        for path, text in sources(*CODE, "tests", "docs"):
            if text.count("\n") > FILE_LINES:
                wrong.append(f"{path}: more than {FILE_LINES} lines")
            wrong += [f"{path}:{line}: a function of {length} lines" for line, length in functions(text)
                      if length > FUNCTION_LINES]
        for path in sorted((ROOT / "tests").rglob("*.py")):
            if path.read_text().count("\n") > FILE_LINES:
                wrong.append(f"{path.relative_to(ROOT)}: more than {FILE_LINES} lines")
        self.none(wrong, "files and functions that want to be divided")

    def test_a_c_file_has_no_conditional_parts(self):
        wrong = [f"{path}:{number}: {line}" for path, text in sources(*CODE) if path.suffix == ".c"
                 for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*#\s*(if|ifdef|ifndef)\b", line)]
        self.none(wrong, "#if in .c files")

    def test_logs_quote_values_themselves(self):
        wrong = [f"{path}:{text.count(chr(10), 0, call.start()) + 1}" for path, text in sources(*CODE)
                 for call in re.finditer(r"\blog_(?:debug|info|warn|error|write|once|limited)\w*\([^;]*;", text) if '=\\"' in call.group()]
        self.none(wrong, 'a quote in the format of a log line is quoted once more: words go in by "name=%s"')

    def test_every_source_is_licensed(self):
        wrong = []
        for folder in (*CODE, "tests", "docs", "cmake", "images", "conf"):
            for path in sorted((ROOT / folder).rglob("*")):
                named = path.suffix in (".c", ".h", ".py", ".sh", ".cmake", ".cfg", ".js", ".css") or path.name == "CMakeLists.txt"
                if named and path.is_file() and "fuzz/corpus" not in str(path) and "SPDX-License-Identifier: BSD-3-Clause" not in path.read_text()[:400]:
                    wrong.append(str(path.relative_to(ROOT)))
        self.none(wrong, "files without an SPDX line")

    def test_every_module_has_its_place(self):
        self.assertEqual({p.name for p in (ROOT / "common").iterdir() if p.is_dir()}, set(BELOW))
        self.assertEqual({p.name for p in (ROOT / "mano").iterdir() if p.is_dir()}, set(MANO))


if __name__ == "__main__":
    unittest.main()

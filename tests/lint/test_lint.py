#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the linter. Each case is a small tree, usually with one error."""

import os
import shutil
import subprocess
import tempfile
import unittest

import circles
import lint

HEAD = "/* SPDX-License-Identifier: MIT */\n"


class Rules(unittest.TestCase):
    def faults(self, rule, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = os.path.join(root, name)
                os.makedirs(os.path.dirname(path) or root, exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
            tree = lint.Tree(root, sorted(files))
            lint.RULES[rule](tree)
            return tree.wrong

    def bad(self, rule, files, *words):
        wrong = self.faults(rule, files)
        self.assertEqual(len(wrong), 1, wrong)
        for word in words:
            self.assertIn(word, wrong[0])

    def good(self, rule, files):
        self.assertEqual(self.faults(rule, files), [])

    def test_spdx(self):
        self.bad("spdx", {"broker/a.c": "int x;\n"}, "broker/a.c:1")
        self.good("spdx", {"broker/a.c": HEAD, "LICENSE": "MIT"})

    def test_libraries(self):
        for header in ("sqlite3.h", "curl/curl.h", "event2/event.h", "dlfcn.h", "ini.h",
                       "pthread.h", "openssl/evp.h", "jansson.h", "systemd/sd-daemon.h"):
            self.bad("includes", {"broker/lease/a.c": f"#include <{header}>\n"}, header)
        self.good("includes", {"broker/store/sqlite/a.c": "#include <sqlite3.h>\n"})

    def test_rooms(self):
        self.bad("includes", {"broker/http/a.c": '#include "lease/lease.h"\n'}, "broker/http")
        self.bad("includes", {"broker/util/a.c": '#include "lease/lease.h"\n'})
        self.bad("includes", {"broker/newroom/a.c": '#include "util/buf.h"\n'}, "table of rooms")
        self.bad("includes", {"plugins/x/a.c": '#include "util/buf.h"\n'}, "a plugin sees")
        self.bad("includes", {"sdk/include/lessor/a.h": "#include <stdio.h>\n"}, "public header")
        self.good("includes", {"plugins/x/a.c": '#include "a.h"\n', "plugins/x/a.h": HEAD})
        self.good("includes", {"broker/api/a.c": '#include "http/server.h"\n'})

    def test_calls(self):
        self.bad("calls", {"broker/api/a.c": "\n\tstrcpy(a, b);\n"}, "a.c:2", "strcpy")
        self.bad("calls", {"plugins/x/a.c": "\tsle" "ep(1);\n"}, "due time")
        self.bad("calls", {"broker/lease/a.c": "\tnow = time(NULL);\n"}, "pure")
        self.good("calls", {"broker/api/a.c": '/* strcpy(a) */ x = "system(1)"; my_system(1);\n'})
        self.good("calls", {"broker/api/a.c": "\tenv->random(1);\n"})
        self.bad("calls", {"broker/api/a.c": "int f(void)\n{\n\tauto_free char *p = 0;\n\tgoto x;\n"
                                             "x:\n\treturn 0;\n}\n"}, "goto")
        self.good("calls", {"broker/api/a.c": "int f(void)\n{\n\tauto_free char *p = 0;\n}\n"
                                              "int g(void)\n{\n\tgoto x;\nx:\n\treturn 0;\n}\n"})

    def test_sleeps(self):
        # Split, so that this file follows the rule.
        for name, text in (
                ("a.c", "\tusle" "ep(1000);"), ("a.h", "\tnanosle" "ep(&t, NULL);"),
                ("a.cpp", "sle" "ep (1);"), ("a.c", "clock_nanosle" "ep(CLOCK_MONOTONIC, 0, &t, 0);"),
                ("a.c", "\tpoll" "(NULL, 0, 20);"), ("a.c", "\tselect" "(0, NULL, NULL, NULL, &t);"),
                ("a.c", "while (!done)\n\tsched" "_yield();"),
                ("a.c", 'script("touch x\\nsle' 'ep 600");'),
                ("a.py", "    time.sle" "ep(0.1)"), ("a.py", "from time import sle" "ep"),
                ("a.py", "import time as t\nt.sle" "ep(x)"), ("a.py", "await asyncio.sle" "ep(1)"),
                ("a.py", "threading.Event()" ".wait(5)"), ("a.py", "select.select" "([], [], [], 1)"),
                ("a.py", 'subprocess.run(["sle' 'ep", "5"])'), ("a.py", 'ssh.run("sle' 'ep 5 && x")'),
                ("a.sh", "\tsle" "ep 0.1"), ("a.sh", "sle" "ep 1"), ("a.bash", 'x; sle' 'ep "$n"'),
                ("a.sh", "exec sle" "ep infinity"), ("CMakeLists.txt", "COMMAND sh -c 'sle" "ep 2'")):
            for place in ("tests/x/", "sdk/check/", "packaging/"):
                self.bad("sleeps", {place + name: text + "\n"}, "wait for the event")
        helper = "\nawait() {\n\tuntil \"$@\"; do\n\t\tsle" "ep 0.05\n\tdone\n}\n"
        self.good("sleeps", {"tests/await.sh": helper})
        self.bad("sleeps", {"tests/x/await.sh": helper})
        self.bad("sleeps", {"tests/await.sh": helper + "other() {\n\tsle" "ep 1\n}\n"}, ":8:")
        self.bad("sleeps", {"tests/await.sh": helper + "sle" "ep 1\n"}, ":7:")
        helper = "def until(what):\n    while not what():\n        time.sle" "ep(0.02)\n"
        self.good("sleeps", {"tests/api/harness.py": helper})
        self.bad("sleeps", {"tests/api/test_x.py": helper})
        self.bad("sleeps", {"tests/api/harness.py": helper.replace("until", "wait")})
        self.good("sleeps", {"tests/x/a.c": "/* sle" "ep(1) */\n\traw_sle" "ep(1);\n",
                             "tests/x/a.py": "# sle" "ep 5\ndef sleepers(): pass\n",
                             "tests/x/a.sh": "echo 'they sleep well'  # not sle" "ep 5\n",
                             "tests/x/a.md": "sle" "ep 5\n", "broker/a.sh": "sle" "ep 5\n",
                             "tests/bench/run.py": "time.sle" "ep(1)\n"})

    def test_ports(self):
        # Split, so that this file follows the rule.
        for name in "tests/x/a.py", "packaging/a.sh":
            self.bad("ports", {name: 's.bi' 'nd(("127.0.0.1", 0))\n'}, "tests/api/ports.py")
        self.good("ports", {"tests/x/a.py": 's = socket.create_server(("127.0.0.1", 0))\n'
                                            's.bind(("127.0.0.1", port))\n'})

    def test_size(self):
        self.bad("size", {"broker/a.c": "\n" * 701}, "two files")
        self.bad("size", {"broker/a.c": "x" * 121 + "\n"}, "columns")

    def test_words(self):
        self.bad("words", {"a.c": "/* TO" "DO: later */\n"}, "reason")
        self.good("words", {"a.c": "/* TO" "DO(PostgreSQL store): later */\n"})
        self.bad("words", {"a.c": "/wo" "rk/main/x\n"}, "workplace")
        self.bad("words", {"a.md": "pypi.o" "rg\n"}, "registry")
        self.bad("words", {".github/a.md": "pypi.o" "rg\n"}, "registry")

    def test_tags(self):
        one, other = "struct a {\n\tint x;\n};\n", "static const struct a {\n\tint y;\n} as[1];\n"
        self.bad("tags", {"broker/api/a.c": one, "broker/http/b.c": HEAD + other}, "b.c:2",
                 "'a' in lessord", "broker/api/a.c:1")
        self.bad("tags", {"broker/api/a.c": one + other}, "a.c:4", "a.c:1")
        self.bad("tags", {"broker/api/a.c": one, "plugins/x/a.c": "enum a { B };\n"}, "plugins/x/a.c:1")
        self.bad("tags", {"broker/cli/a.c": one, "broker/util/a.h": "union a {\n};\n"}, "in lessor ")
        self.bad("tags", {"broker/util/a.h": one, "sdk/loader/b.c": other}, "sdk/loader/b.c:1")
        self.good("tags", {"broker/cli/a.c": one, "broker/api/a.c": other, "sdk/check/a.c": one})
        self.good("tags", {"broker/api/a.h": one, "broker/api/a.c": "struct a *f(struct a *p)\n{\n}\n",
                           "broker/api/b.c": "/* struct a { */ x = (struct a){ 0 };\n"})

    def test_tree(self):
        self.bad("tree", {"src/a.c": HEAD}, "top level")
        self.good("tree", {"broker/a.c": HEAD, ".ci/run": ""})

    def test_style(self):
        self.bad("style", {"broker/a.c": "int x; \n"}, "blanks at the end")
        self.bad("style", {"broker/a.c": "int x;"}, "no newline")
        self.bad("style", {"broker/a.c": "        int x;\n"}, "tab")

    def test_testnames(self):
        made = "lessor_unit_test({0} SOURCES {1} USES x)\n"
        self.good("testnames", {"tests/unit/lease/test-lease-due.c": "", "tests/unit/lease/life.c": "",
                                "tests/unit/lease/CMakeLists.txt": made.format("test-lease-${t}", "test-lease-${t}.c"),
                                "tests/sim/unit/test-sim.c": "",
                                "tests/sim/CMakeLists.txt": made.format("test-sim", "unit/test-sim.c")})
        self.bad("testnames", {"tests/unit/lease/test-due.c": ""}, "test-lease-SUBJECT")
        self.bad("testnames", {"tests/unit/lease/due.c": "cmocka_run_group_tests(t);\n"}, "test-lease-SUBJECT")
        self.bad("testnames", {"tests/sdk/CMakeLists.txt": made.format("test-x", "test-x.c")}, "test-sdk-SUBJECT")
        self.bad("testnames", {"tests/sdk/CMakeLists.txt": "\n" + made.format("test-sdk-x", "x.c")}, "txt:2")

    def test_texts(self):
        for call in ('err_set(e, 1, "Cannot open %s", x)', 'err_set(e, 1, "cannot open %s.", x)',
                     'cli_usage_error(c, "a word"\n\t" is missing.")', 'reply_error(r, 1, "x", "Not one")',
                     'json_body_fail(in, 1, "x", (y), "not one.")'):
            self.bad("texts", {"broker/cli/a.c": f"\n\t{call};\n"}, "a.c:2", "message that" if
                     call.find('."') > 0 else "capital")
        for call in ('err_set(e, 1, "the key %s (SSH) is damaged", x)', 'err_set(e, 1, "SSH key %s is damaged", x)',
                     'reply_error(r, 1, "x", "Not one. Use two.")', 'json_body_fail(in, 1, "x", "is not one")',
                     'log_error(NULL, "Idempotency-Key is %s", f(x ? "A" : "B."))', 'text_error("wait ...")'):
            self.good("texts", {"broker/cli/a.c": f"\t{call};\n/* err_set(e, 1, \"No stop\") */\n"})

    def test_defects(self):
        patch = "--- a/broker/a.c\n+++ b/broker/a.c\n@@ -1,2 +1,2 @@\n int x;\n-int y;\n+int z;\n"
        good = {"broker/a.c": "int x;\nint y;\n", lint.DEFECTS + "01-z.patch": patch,
                lint.DEFECTS_LIST: "# a comment\n1*\ty is z\ttest-a\n"}
        self.good("defects", good)
        self.bad("defects", good | {"broker/a.c": "int x;\nint w;\n"}, "apply")
        self.bad("defects", good | {"broker/a.c": "int v;\nint y;\n"}, "fuzz")
        self.bad("defects", good | {"broker/b.c": "if (DEF" "ECT(1))\n"}, "b.c:1")
        self.bad("defects", good | {lint.DEFECTS + "02-a.patch": patch}, "0 times")
        for wrong in ("1\ta\ttest-b\n", "2\ta\ttest-b\n", "2\ta\n", "1\ta\t-\t-\n"):
            with self.subTest(wrong):
                self.assertTrue(self.faults("defects", good | {
                    lint.DEFECTS_LIST: good[lint.DEFECTS_LIST] + wrong}))


@unittest.skipUnless(shutil.which("cc") and shutil.which("nm"), "no compiler")
class Circles(unittest.TestCase):
    def circles(self, room, **files):
        with tempfile.TemporaryDirectory() as build:
            folder = os.path.join(build, room, "CMakeFiles", "x.dir")
            os.makedirs(folder)
            for name, text in files.items():
                subprocess.run(["cc", "-x", "c", "-c", "-o", os.path.join(folder, name + ".c.o"), "-"],
                               input=text, text=True, check=True)
            return circles.circles(build)

    def test_a_circle(self):
        a, b, c = "int b(void); int a(void) { return b(); }", "int c(void); int b(void) { return c(); }", \
            "int a(void); int c(void) { return a(); }"
        self.assertEqual(self.circles("broker/engine", a=a, b=b, c=c),
                         [["broker/engine/a.c", "broker/engine/b.c", "broker/engine/c.c"]])
        self.assertEqual(self.circles("broker/engine", a=a, b=b, c="int c(void) { return 0; }"), [])

    def test_a_table_is_used_like_a_function(self):
        self.assertEqual(self.circles("sdk/sim", a="extern const int t[]; int a(void) { return t[0]; }",
                                      b="int a(void); const int t[] = { 1 }; int b(void) { return a(); }"),
                         [["sdk/sim/a.c", "sdk/sim/b.c"]])


if __name__ == "__main__":
    unittest.main()

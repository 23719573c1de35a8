#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every accessibility rule finds the fragment that breaks it, and nothing in the one that is sound."""

import os
import unittest

import rules
from browser import Browser
from fragments import Site

OUT = os.environ.get("PAGE_OUT", "build/tests/page")

STYLE = """
  * { box-sizing: border-box; }
  body { font: 1rem/1.5 sans-serif; margin: 0; background: #fff; color: #222; }
  button, input { font: inherit; color: inherit; background: #fff; border: 1px solid #555;
                  min-height: 2.75rem; min-width: 2.75rem; }
  :focus-visible { outline: 3px solid #05a; outline-offset: 1px; }
  nav a { display: inline-block; padding: .75rem; }
  th, td { text-align: left; }
  @media (prefers-color-scheme: dark) {
    :root { color-scheme: dark; }
    body { background: #111; color: #ddd; }
    button, input { background: #222; border-color: #999; }
    :focus-visible { outline-color: #8cf; }
    a { color: #9cf; }
  }
  @media (prefers-reduced-motion: no-preference) { button { transition: background 1s; } }
"""

HEAD = """<meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
<link rel=icon href="data:,">"""

SOUND = """
<header><p>Name of it</p><nav aria-label=Views><a href=/a>One</a> <a href=/b>Two</a></nav></header>
<main><h1>Things</h1><p role=status></p>
<h2>List</h2>
<table><caption>Things</caption>
<thead><tr><th scope=col>Name</th><th scope=col>Size</th></tr></thead>
<tbody><tr><th scope=row>a</th><td>1</td></tr></tbody></table>
<p><label>Search <input type=search></label> <button>Find</button></p></main>"""

# Rule, what is wrong, and the document that differs from the sound one: (old, new) or a fragment
# that is added to its main part.
BROKEN = (
    ("language", "html has no lang", ("<html lang=en>", "<html>")),
    ("title", "no title", ("<title>Sound</title>", "<title> </title>")),
    ("scaling", "forbids zooming", ("initial-scale=1", "maximum-scale=1")),
    ("ids", 'id "a" is not unique', "<p id=a>x</p><p id=a>y</p>"),
    ("ids", 'aria-describedby names "no"', "<button aria-describedby=no>Other</button>"),
    ("labels", "has no label", "<input placeholder=Search>"),
    ("tables", "has no scope", ("<th scope=row>", "<th>")),
    ("tables", "has no row headers", ("<th scope=row>a</th>", "<td>a</td>")),
    ("tables", "has no column headers", ("<th scope=col>Name</th><th scope=col>Size</th>",
                                         "<td>Name</td><td>Size</td>")),
    ("tables", "has an empty header", ("<th scope=col>Size", "<th scope=col>")),
    ("tables", "has no name", ("<caption>Things</caption>", "")),
    ("hidden", "hidden from screen readers", "<div aria-hidden=true><button>Other</button></div>"),
    ("roles", "has no role", "<div tabindex=0>act</div>"),
    ("roles", "has no role", "<span onclick=''>act</span>"),
    ("scrollers", "has no name", "<pre tabindex=0 style='width:9em;overflow:auto'>%s</pre>"
     % ("x" * 300)),
    ("scrollers", "cannot be reached", "<pre tabindex=-1 style='width:9em;overflow:auto'>%s</pre>"
     % ("x" * 300)),
    ("contrast", "#777777 on #ffffff has 4.48:1", "<p style='color:#777'>grey</p>"),
    ("contrast", "has 1.[0-9]+:1", "<p style='background:rgba(0,0,0,.7)'>dark on dark</p>"),
    ("contrast", "text #919191 on #ffffff has 3.1", "<p style='opacity:.5'>half of it</p>"),
    ("contrast", "has 2.8[0-9]:1", "<p style='font-size:24px;color:oklch(0.68 0 0)'>large</p>"),
    ("contrast", "lies on an image", "<p style='background:linear-gradient(#fff,#000)'>over</p>"),
    ("contrast", "placeholder", "<style>::placeholder{color:#bbb}</style><label>L"
     " <input placeholder=pale></label>"),
    ("edges", "its edge has 1", "<label>L <input style='border:1px solid #ddd'></label>"),
    ("names", "button has no name", "<button><span aria-hidden=true>x</span></button>"),
    ("names", "link has no name", "<a href=/c></a>"),
    ("names", "image has no name", "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>"),
    ("distinct", "2 of button 'Release'", "<button>Release</button><button>Release</button>"),
    ("distinct", "2 of link 'One'", "<a href=/c>One</a>"),
    ("headings", "2 headings of level 1", "<h1>Other</h1>"),
    ("headings", "0 headings of level 1", ("<h1>Things</h1>", "")),
    ("headings", "has level 4 after 2", "<h4>Deep</h4>"),
    ("landmarks", "0 main parts", ("<main>", "<div>")),
    ("landmarks", "text in no landmark: 'astray'", ("<header>", "<p>astray</p><header>")),
    ("landmarks", "2 of navigation 'Views'", "<nav aria-label=Views><a href=/c>C</a></nav>"),
    ("grids", "0 of 1 tables", ("<table>", "<table role=list>")),
    ("grids", "rows and 0 column", ("<thead><tr>", "<thead hidden><tr>")),
    ("live", "no live region", ("<p role=status></p>", "")),
    ("focus", "does not show on button", "<style>button{outline:none!important}</style>"),
    ("focus", "is thin", "<style>button:focus{outline:1px solid #000!important}</style>"),
    ("focus", "outline of the focus has 1.[0-9]", "<style>button:focus{outline:3px solid"
     " #eee!important}</style>"),
    ("focus", "does not show on a", "<style>a:focus{outline:none!important}</style>"),
    ("focus", "tabindex above 0", "<button tabindex=3>First</button>"),
    ("focus", "goes back to a", "<script src=/back.js></script>"),
    ("focus", "out of sight", "<div style='position:fixed;inset:0;background:#fff'></div>"),
    ("focus", "does not reach", "<button id=t>Trap</button><button>Behind</button>"
     "<script src=/trap.js></script>"),
)
TRAP = """const trap = document.getElementById('t');
trap.addEventListener('keydown', e => { if (e.key === 'Tab') e.preventDefault(); });"""

BACK = """const [one, two] = document.links, find = document.querySelector('button');
const lead = (from, to) => from.addEventListener('keydown', e => {
  if (e.key === 'Tab') { e.preventDefault(); to.focus(); } });
lead(one, find); lead(find, two);"""


def document(change=("", "")):
    whole = "<!doctype html><html lang=en><head><title>Sound</title>%s<style>%s</style></head>" \
            "<body>%s</body></html>" % (HEAD, STYLE, SOUND)
    if isinstance(change, str):
        change = ("</main>", change + "</main>")
    if change[0] not in whole:
        raise AssertionError("%r is not in the sound document" % change[0])
    return whole.replace(*change) if change[0] else whole


class Rules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site()
        cls.site.put("/trap.js", TRAP)
        cls.site.put("/back.js", BACK)
        cls.browser = Browser(OUT)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.site.close()

    def setUp(self):
        self.page = self.browser.page()
        self.addCleanup(self.page.close)
        self.page.media(prefers_color_scheme="light", prefers_reduced_motion="no-preference")

    def open(self, change=("", "")):
        self.page.go(self.site.put("/", document(change)))
        return self.page

    def test_the_sound_document_breaks_none(self):
        page = self.open()
        for scheme in ("light", "dark"):
            page.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            self.assertEqual(rules.broken(page), [])
        page.size(320, 640, is_phone=True)
        self.assertEqual(rules.broken(page, dict(rules.PHONE, **rules.STILL)), [])
        self.assertEqual(rules.reflow(page, 320), [])
        page.check(self.site.origin)

    def test_each_rule_finds_what_breaks_it(self):
        for rule, text, change in BROKEN:
            with self.subTest(rule=rule, change=change):
                found = rules.RULES[rule](self.open(change))
                self.assertRegex("\n".join(found), text)

    def test_each_rule_is_broken_once(self):
        self.assertEqual({rule for rule, _, _ in BROKEN}, set(rules.RULES))

    def test_colours_are_those_of_the_scheme(self):
        page = self.open("<p style='color:#222;background:none'>dark on dark, at night</p>")
        self.assertEqual(rules.RULES["contrast"](page), [])
        page.media(prefers_color_scheme="dark")
        self.assertRegex("\n".join(rules.RULES["contrast"](page)), "at night.*#222222 on #111111")

    def test_small_targets(self):
        page = self.open("<button style='min-width:0;min-height:0;width:20px;height:30px;padding:0'>"
                         "x</button><p>A <a href=/c>link</a> within text may be small.</p>")
        page.size(360, 640, is_phone=True)
        self.assertRegex("\n".join(rules.broken(page, rules.PHONE)), "^targets: button .*20 x 30")

    def test_a_wide_document(self):
        page = self.open("<p style='width:400px'>wide</p>")
        page.size(320, 640, is_phone=True)
        self.assertRegex("\n".join(rules.reflow(page, 320)), "400 pixels wide, not 320: p .wide")
        page = self.open("<div style='overflow:auto' tabindex=0><p style='width:400px'>w</p></div>")
        self.assertEqual(rules.reflow(page, 320), [])

    def test_what_moves(self):
        page = self.open("<p style='transition:color 1s'>moves</p>")
        page.media(prefers_reduced_motion="reduce")
        self.assertRegex("\n".join(rules.broken(page, rules.STILL)), "p .moves. moves$")


class Letters(unittest.TestCase):
    """A browser whose user wants letters of twice the size."""

    def test_letters_that_stay_small_or_are_cut_off(self):
        site = Site()
        self.addCleanup(site.close)
        browser = Browser(OUT, letters=32)
        self.addCleanup(browser.close)
        page = browser.page()
        page.go(site.put("/", document()))
        self.assertEqual(rules.broken(page, rules.LETTERS), [])
        page.go(site.put("/", document("<p style='font-size:14px'>small</p>")))
        self.assertRegex("\n".join(rules.broken(page, rules.LETTERS)), "small. stays at 14px")
        page.go(site.put("/", document("<p style='height:20px;overflow:hidden'>cut</p>")))
        self.assertRegex("\n".join(rules.broken(page, rules.LETTERS)), "cut. is cut off")


if __name__ == "__main__":
    unittest.main(verbosity=2)

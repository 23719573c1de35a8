# SPDX-License-Identifier: MIT
"""Accessibility rules, checked on a page as a browser shows it: its document and computed styles
(rules.js), its accessibility tree, and where the focus goes with the Tab key.

Each rule is a function of a page that returns a list of what is wrong. test_rules.py has a broken
fragment for each of them. The rules are those of WCAG 2.2, level AA, that a program can decide."""

import collections
import os

from browser import Node, below

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "rules.js"),
          encoding="utf-8") as source:
    SCRIPT = source.read().split("\n", 1)[1]

CONTROLS = {"button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "radio",
            "switch", "slider", "spinbutton", "tab", "menuitem", "DisclosureTriangle", "option"}
LANDMARKS = {"main", "navigation", "banner", "contentinfo", "complementary", "region", "search",
             "form", "dialog", "alertdialog"}
TABS_MOST = 400  # a trap for the focus ends here


def script(page, call):
    return page.script("(() => { const rules = %s; return rules.%s; })()" % (SCRIPT, call))


# ---- the accessibility tree ---------------------------------------------------------------


def names(page):
    """Every control and every picture has a name."""
    return ["%s has no name: %s" % (n.role, n.run("function() { return this.outerHTML; }")[:100])
            for n in page.tree()
            if n.role in CONTROLS | {"image", "table", "dialog"} and not n.name.strip()]


def distinct(page):
    """Controls with the same name do the same."""
    found = collections.defaultdict(set)
    for node in page.tree():
        if node.role in ("button", "link") and node.name:
            target = str(node.properties.get("url", ""))
            found[node.role, node.name].add(target or str(node.backend))
    return ["%d of %s '%s' do not do the same" % (len(targets), role, name)
            for (role, name), targets in found.items() if len(targets) > 1]


def headings(page):
    """One heading of the first level, and none is skipped."""
    levels = [(n.properties.get("level", 0), n.name) for n in page.tree() if n.role == "heading"]
    wrong = []
    first = [name for level, name in levels if level == 1]
    if len(first) != 1:
        wrong.append("%d headings of level 1: %s" % (len(first), first))
    last = 0
    for level, name in levels:
        if level > last + 1:
            wrong.append("heading '%s' has level %d after %d" % (name, level, last))
        if not name.strip():
            wrong.append("a heading of level %d is empty" % level)
        last = level
    return wrong


def role_of(raw):
    return "" if raw.get("ignored") else raw.get("role", {}).get("value", "")


def landmarks(page):
    """One main part; all text lies in some landmark; several of a kind have names."""
    whole = page.whole()
    nodes = [Node(page, raw) for raw in whole.values() if role_of(raw) in LANDMARKS]
    kinds = collections.Counter(n.role for n in nodes)
    named = collections.Counter((n.role, n.name) for n in nodes
                                if n.role in ("navigation", "complementary", "region"))
    wrong = [] if kinds["main"] == 1 else ["%d main parts" % kinds["main"]]
    wrong += ["%d of %s" % (kinds[kind], kind) for kind in ("banner", "contentinfo")
              if kinds[kind] > 1]
    wrong += ["%d of %s '%s'" % (count, role, name) for (role, name), count in named.items()
              if count > 1]
    # A link that skips to the main part comes before all landmarks; live text may be anywhere.
    inside = {at for top, raw in whole.items()
              if role_of(raw) in LANDMARKS | {"link", "status", "alert", "log"}
              for at in below(whole, top)}
    return wrong + ["text in no landmark: '%s'" % Node(page, raw).name[:60]
                    for at, raw in whole.items()
                    if role_of(raw) == "StaticText" and Node(page, raw).name.strip()
                    and at not in inside]


def grids(page):
    """A table is one for screen readers, too: rows, with headers in them, whatever its layout."""
    whole, wrong, found = page.whole(), [], 0
    for top, raw in whole.items():
        if role_of(raw) == "table":
            found += 1
            roles = collections.Counter(role_of(whole[at]) for at in below(whole, top))
            if not roles["row"] or not roles["columnheader"]:
                wrong.append("table '%s' has %d rows and %d column headers" % (
                    Node(page, raw).name, roles["row"], roles["columnheader"]))
    expected = page.run("() => [...document.querySelectorAll('table')].filter(t =>"
                        " t.checkVisibility() && t.role !== 'presentation').length")
    if found != expected:
        wrong.append("%d of %d tables are tables for a screen reader" % (found, expected))
    return wrong


def live(page):
    """There is a place from which changes are read out."""
    if any(n.properties.get("live") in ("polite", "assertive") for n in page.tree()):
        return []
    # One that is empty is not in the tree, and works nevertheless.
    is_there = page.run("() => [...document.querySelectorAll('[aria-live=polite],"
                        " [aria-live=assertive], [role=status], [role=alert], [role=log]')]"
                        ".some(e => e.checkVisibility() && !e.closest('[aria-hidden=true]'))")
    return [] if is_there else ["no live region"]


# ---- the focus ----------------------------------------------------------------------------

BEGIN = """() => {
  const rules = %s;
  const body = document.body;
  if (document.activeElement) document.activeElement.blur();
  const start = document.querySelector('dialog:modal') || body;
  const had = start.getAttribute('tabindex');
  if (start === body) {
    start.tabIndex = -1;
    start.focus({preventScroll: true});
    if (had === null) start.removeAttribute('tabindex');
    else start.setAttribute('tabindex', had);
    document.activeElement.blur();
  }
  scrollTo(0, 0);
  window.__focus = {rules, seen: rules.focusable(), looks: new Map()};
  for (const element of __focus.seen) __focus.looks.set(element, rules.look(element));
  return {count: __focus.seen.length,
          positive: __focus.seen.filter(e => e.tabIndex > 0).map(rules.where)};
}""" % SCRIPT.strip()

AT = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const {rules, seen, looks} = __focus;
  const box = element.getBoundingClientRect();
  const middle = document.elementFromPoint(
    Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1),
    Math.min(Math.max(box.top + Math.min(box.height / 2, 20), 0), innerHeight - 1));
  const before = looks.get(element), now = rules.look(element);
  return {index: seen.indexOf(element), where: rules.where(element),
          isSeen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth &&
            !!middle && (element.contains(middle) || middle.contains(element) ||
                         [...(element.labels || [])].some(l => l.contains(middle))),
          outline: rules.outline(element), changed: before ?
            Object.keys(now).filter(key => now[key] !== before[key]) : []};
}"""


def focus(page):
    """Tab reaches every control, in the document's order, and one sees where the focus is."""
    began = page.run(BEGIN)
    wrong = ["tabindex above 0: " + where for where in began["positive"]]
    visited, last = set(), -1
    for _ in range(TABS_MOST):
        page.press("Tab")
        at = page.run(AT)
        if at is None or at["index"] in visited:
            break
        if at["index"] < 0:
            wrong.append("the focus is on what was not there: " + at["where"])
            continue
        visited.add(at["index"])
        if at["index"] < last:
            wrong.append("the focus goes back to " + at["where"])
        last = at["index"]
        if not at["isSeen"]:
            wrong.append("the focus is out of sight on " + at["where"])
        wrong += indicator(at)
    else:
        wrong.append("the focus does not come out after %d steps" % TABS_MOST)
    if len(visited) < began["count"]:
        missed = page.run("visited => __focus.seen.filter((_, i) => !visited.includes(i))"
                          ".map(__focus.rules.where)", sorted(visited))
        wrong.append("Tab does not reach %s" % "; ".join(missed[:5]))
    return wrong


def indicator(at):
    """The focus shows: an outline of 2 pixels with 3:1, or the browser's own."""
    outline = at["outline"]
    if outline["style"] == "auto":
        return []
    if "outline" in at["changed"] and outline["style"] != "none":
        if outline["wide"] < 2:
            return ["the outline of the focus is thin on " + at["where"]]
        if outline["ratio"] < 3:
            return ["the outline of the focus has %.2f:1 on %s" % (outline["ratio"], at["where"])]
        return []
    return ["the focus does not show on " + at["where"]]


# ---- all of them ----------------------------------------------------------------------------


def of_script(name, argument=""):
    def rule(page):
        return script(page, "%s(%s)" % (name, argument))
    return rule


RULES = {name: of_script(name) for name in (
    "language", "title", "scaling", "ids", "labels", "tables", "hidden", "roles", "scrollers",
    "contrast", "edges")}
RULES.update(names=names, distinct=distinct, headings=headings, landmarks=landmarks, grids=grids,
             live=live, focus=focus)
# Those that need the page to be shown in a certain way, by the caller.
COLOURS = {name: RULES[name] for name in ("contrast", "edges", "focus")}
PHONE = {"targets": of_script("targets")}
STILL = {"motion": of_script("motion")}
LETTERS = {"letters": of_script("letters")}


def reflow(page, wide):
    return script(page, "reflow(%d)" % wide)


def broken(page, rules=None):
    """What is wrong, each with its rule."""
    rules = RULES if rules is None else rules
    return ["%s: %s" % (name, text) for name, rule in rules.items() for text in rule(page)]

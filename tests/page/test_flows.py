#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a person does with the page: sign in, look around, release by keyboard alone, sign out."""

import os
import re
import unittest

from desk import PageCase, until

# Everything that a page can keep.
KEPT = """async () => JSON.stringify({
  local: Object.entries(localStorage), session: Object.entries(sessionStorage),
  cookie: document.cookie, databases: await indexedDB.databases(), name: window.name,
  state: history.state, caches: window.caches ? await caches.keys() : [], address: location.href,
  workers: navigator.serviceWorker ? (await navigator.serviceWorker.getRegistrations()).length : 0,
  document: document.documentElement.outerHTML,
  fields: [...document.querySelectorAll('input')].map(field => field.value)})"""
ALERT = "() => document.querySelector('#refused, [role=alert]')?.innerText.trim()"
IDLE = "() => !document.querySelector('button[aria-busy=true]')"
# How many buttons are busy.
BUSY = "() => document.querySelectorAll('button[aria-busy=true]').length"
FOCUSED = """() => {
  const at = document.activeElement;
  return at === document.body ? '' : at.ariaLabel || at.innerText || at.id;
}"""


class SignIn(PageCase):
    def test_a_wrong_token_is_refused_and_nothing_is_shown(self):
        page = self.open()
        page.allow("401")
        self.sign_in(page, "lsr_0000000000000000_" + 43 * "0")
        self.assertRegex(page.wait(ALERT), "not known|token")
        self.assertNotIn("web-frontend", page.text())
        page.absent("navigation", "Views")
        # The next try works, without a reload; a user sees what is theirs.
        self.sign_in(page, self.desk.broker.alice)
        page.find("link", "web-frontend")
        self.assertEqual(page.loads, 1)
        self.assertNotIn("nightly-build", page.text())

    def test_what_no_token_can_be_is_refused(self):
        page = self.open()
        page.allow("401")
        for token in ("x", "\u202eabc", "lsr_\u00fc\u00f6", "a b"):
            self.sign_in(page, token)
            page.wait(ALERT)
            page.find("textbox", "Token")
            page.absent("navigation", "Views")

    def test_the_token_is_in_no_storage_and_no_address(self):
        page = self.at()
        token = self.desk.broker.admin
        self.lease_view(page, "web-frontend")
        self.assertNotIn(token[21:], page.run(KEPT))
        for request in page.sent():
            fields = {name.lower(): value for name, value in request["headers"].items()}
            for text in (request["url"], fields.get("referer", ""), fields.get("cookie", "")):
                self.assertNotIn(token[4:], text)
        sent = [r for r in page.sent("/v1/") if r["headers"].get("Authorization")]
        self.assertTrue(sent)
        self.assertEqual([r for r in page.sent() if r not in sent
                          and r["headers"].get("Authorization")], [])
        self.assertNotIn(token[21:], self.desk.broker.log())

    def test_the_token_is_not_in_the_browsers_profile(self):
        """Not in the cache, in what it offers for the next form, or elsewhere on the disk."""
        page = self.at()
        page.find("link", "web-frontend")
        page.close()
        token = self.desk.broker.admin[21:]
        for folder, _, files in os.walk(self.browser.home):
            for name in files:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        content = file.read()
                    for encoding in ("ascii", "utf-16-le"):
                        self.assertNotIn(token.encode(encoding), content, path)

    def test_a_reload_asks_for_the_token_again(self):
        page = self.at()
        page.find("link", "web-frontend")
        page.reload()
        self.assertEqual(page.find("textbox", "Token").value, "")
        self.assertNotIn("web-frontend", page.text())

    def test_signing_out_forgets(self):
        page = self.at()
        page.find("link", "web-frontend")
        self.view(page, "Accounts")
        page.click("button", "Sign out")
        page.find("textbox", "Token")
        self.assertNotIn("hetzner", page.text())
        page.absent("navigation", "Views")
        # Nothing is left that could ask; going back shows nothing.
        before = len(page.sent("/v1/"))
        page.run("() => history.back()")
        page.wait("() => location.hash !== '#accounts'")
        self.assertNotIn("web-frontend", page.text())
        self.assertEqual(len(page.sent("/v1/")), before)

    def test_a_token_that_ends_asks_for_another(self):
        desk = self.desk
        token = desk.broker.token("temp@example.com", "acme", "admin")
        until(lambda: desk.ask("GET", "/v1/whoami", token).status == 200)
        page = self.at(token=token)
        page.find("link", "web-frontend")
        page.allow("401|ERR_")
        desk.broker.revoke(token)
        page.find("textbox", "Token")
        self.assertRegex(page.wait(ALERT), "revoked on ")
        self.assertNotIn("web-frontend", page.text())


class Look(PageCase):
    def rows(self, page, table):
        """The text of each row of a table's body."""
        page.find("table", table)
        return page.run("""name => [...document.querySelectorAll('table')].filter(table =>
          (table.caption?.innerText || table.ariaLabel || '').trim() === name ||
          table.getAttribute('aria-labelledby') && document.getElementById(
            table.getAttribute('aria-labelledby')).innerText.trim() === name)
          .flatMap(table => [...table.tBodies].flatMap(body => [...body.rows]))
          .map(row => row.innerText.replace(/\\s+/g, ' ').trim())""", table)

    def row(self, page, table, pattern):
        """Waits for the one row that matches."""
        def found():
            return [r for r in self.rows(page, table) if re.search(pattern, r)]
        until(found, why=lambda: self.rows(page, table))
        self.assertEqual(len(found()), 1, self.rows(page, table))
        return found()[0]

    def test_what_is_leased_by_whom_and_what_it_costs(self):
        page = self.at()
        row = self.row(page, "Leases", "^web-frontend")
        self.assertRegex(row, "active.*alice@example.com.*0[.,]16")
        self.row(page, "Leases", "^nightly-build.*bob@example.com")
        self.assertRegex(self.row(page, "Starting", "^still-starting"), "sold out")
        self.assertNotIn("done-yesterday", page.text())
        page.find("region", "At a glance")
        self.assertRegex(page.text(), r"EUR|\u20ac")
        select = page.find("combobox", "Show")
        select.focus()
        page.press("ArrowDown")
        page.find("link", "done-yesterday")

    def test_what_needs_a_person_with_the_command(self):
        page = self.at()
        left, kept = self.desk.leases["left-behind"], self.desk.leases["kept-for-debugging"]
        self.view(page, "Attention")
        command = "lessor resolve %s retry" % left["id"]
        row = self.row(page, "Need a person", "left-behind")
        self.assertIn(command, row)
        self.assertIn("delete protection", row)
        row = self.row(page, "Kept on purpose", "kept-for-debugging")
        self.assertIn("lessor release %s" % kept["id"], row)
        # A copy of exactly the command.
        self.browser.call("Browser.grantPermissions", browserContextId=page.context,
                          origin=self.origin,
                          permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        page.click("button", "Copy " + command)
        page.wait("() => document.querySelector('#said').innerText.trim()")
        self.assertEqual(page.run("() => navigator.clipboard.readText()"), command)

    def test_the_timeline_of_a_lease(self):
        page = self.at()
        self.lease_view(page, "web-frontend")
        page.find("region", "Timeline")
        page.wait("() => /accepted for hetzner/.test(document.querySelector('main').innerText)")
        text = page.text()
        for event in ("accepted for hetzner", "attempt 1", "at 203.0.113."):
            self.assertIn(event, text)
        page.find("region", "Connect")
        page.click("button", "Show bills")
        page.wait("() => /0[.,]16/.test(document.querySelector('main').innerText)")

    def test_accounts(self):
        page = self.at()
        self.view(page, "Accounts")
        self.assertRegex(self.row(page, "Accounts", "^hetzner"), "verified|in use|ready|ok")
        self.assertRegex(self.row(page, "Accounts", "^west"),
                         "[Bb]locked.*correct its token, then run: systemctl reload lessord")
        page.find("table", "Limits")

    def test_the_queue(self):
        page = self.at()
        page.find("link", re.compile("^Queue.*1"))
        self.view(page, "Queue")
        self.assertIn("alice@example.com", self.row(page, "Waiting", "waits-its-turn"))

    def test_usage(self):
        page = self.at()
        self.view(page, "Usage")
        page.find("combobox", "Month")
        self.row(page, "By owner", "^alice@example.com.*[0-9][.,][0-9]")
        for table in ("By organisation", "By account", "By server type"):
            self.assertTrue(self.rows(page, table))

    def test_runs(self):
        page = self.at()
        self.view(page, "Runs")
        page.click("link", self.desk.run["id"])
        self.title(page, "Run " + self.desk.run["id"])
        self.assertEqual(page.loads, 1)
        self.assertIn("all tests passed", page.text())

    def test_the_address_that_clients_print(self):
        """It asks for the token, and then shows the run."""
        page = self.at("/portal/runs/" + self.desk.run["id"])
        self.title(page, "Run " + self.desk.run["id"])
        page.wait("() => /all tests passed/.test(document.querySelector('main').innerText)")
        page.find("region", "Log")
        page.find("region", "Events")

    def test_a_run_that_is_not_there(self):
        page = self.at("/portal/runs/run_000000000000")
        page.allow("404")
        page.wait("() => document.querySelector('main [role=alert]')?.innerText.trim()")
        self.assertEqual(len([n for n in page.all("heading") if n.properties["level"] == 1]), 1)

    def test_back_and_forward(self):
        page = self.at()
        self.view(page, "Accounts")
        self.view(page, "Queue")
        page.run("() => history.back()")
        self.title(page, "Accounts")
        page.run("() => history.back()")
        page.find("table", "Leases")
        self.assertEqual(page.loads, 1)


class Acts(PageCase):
    def tab_to(self, page, name):
        for _ in range(100):
            page.press("Tab")
            if re.fullmatch(name, page.run(FOCUSED).strip()):
                return
        raise AssertionError("Tab does not reach %r" % name)

    def test_release_by_keyboard_alone(self):
        lease = self.desk.create("by-keyboard", self.desk.carol)
        page = self.open()
        for _ in range(5):
            if page.run("() => document.activeElement.matches('input')"):
                break
            page.press("Tab")
        page.type(self.desk.carol)
        page.press("Enter")
        page.find("link", "by-keyboard")
        self.tab_to(page, "by-keyboard")
        page.press("Enter")
        self.title(page, "by-keyboard")
        # The heading has the focus, so a screen reader reads it out.
        page.wait("() => document.activeElement.matches('h1')")
        self.tab_to(page, "Release by-keyboard")
        page.press("Enter")
        page.find("dialog")
        self.assertEqual(page.run(FOCUSED), "Cancel")
        page.press("Escape")
        page.wait("() => document.activeElement.innerText === 'Release by-keyboard'"
                  " && !document.activeElement.ariaBusy")
        self.assertEqual(self.desk.lease("by-keyboard")["state"], "active")
        page.press("Space")
        page.find("dialog")
        self.tab_to(page, "Release and delete")
        page.press("Enter")
        page.wait("() => /released/i.test(document.querySelector('#said').innerText)")
        page.wait("() => !document.querySelector('dialog[open]')")
        self.assertEqual(self.desk.lease("by-keyboard")["state"], "released")
        # The button is gone, and the focus not lost.
        page.wait("() => ![...document.querySelectorAll('button')].some(b =>"
                  " b.innerText === 'Release by-keyboard')")
        self.assertEqual(page.run(FOCUSED), "by-keyboard")
        posts = [r for r in page.sent() if r["method"] != "GET"]
        self.assertEqual([r["url"] for r in posts],
                         [self.origin + "/v1/leases/%s/release" % lease["id"]])

    def test_extend(self):
        before = self.desk.create("extended", self.desk.carol)
        self.addCleanup(self.desk.release, "extended", self.desk.carol)
        page = self.at(token=self.desk.carol)
        self.lease_view(page, "extended")
        page.click("button", "Extend extended")
        page.find("dialog")
        page.click("button", "Extend")
        page.wait("() => /extended/i.test(document.querySelector('#said').innerText)")
        after = self.desk.lease("extended")
        self.assertGreater(after["ttlSeconds"], before["ttlSeconds"])

    def test_an_answer_is_to_one_question(self):
        """Both buttons are pressed, twice, before the page knows what to ask."""
        lease = self.desk.create("asked-once", self.desk.carol)
        page = self.at(token=self.desk.carol)
        self.lease_view(page, "asked-once")
        held = page.hold("/v1/leases/%s$" % lease["id"])
        for name in ("Extend asked-once", "Extend asked-once", "Release asked-once"):
            page.click("button", name)
        page.until(lambda: len(held) >= 2)
        # What happens to the lease meanwhile leaves the buttons as they are.
        self.assertEqual(page.run(BUSY), 2)
        page.run("() => document.body.offsetHeight")
        self.assertEqual(len(held), 2)
        page.restore()
        page.find("dialog")
        question = page.run("() => document.querySelector('#question').innerText")
        page.click("button", "Extend" if "Extend" in question else "Release and delete")
        page.wait("() => !document.querySelector('dialog[open]')")
        page.wait("() => /(extended|released)\\./.test(document.querySelector('#said').innerText)")
        page.wait(IDLE)
        posts = [r["url"] for r in page.sent() if r["method"] != "GET"]
        act = "extend" if "Extend" in question else "release"
        self.assertEqual(posts, [self.origin + "/v1/leases/%s/%s" % (lease["id"], act)])
        page.absent("dialog")
        if act == "extend":
            self.desk.release("asked-once", self.desk.carol)

    def test_a_question_that_comes_too_late_is_not_asked(self):
        lease = self.desk.create("left-alone", self.desk.carol)
        self.addCleanup(self.desk.release, "left-alone", self.desk.carol)
        page = self.at(token=self.desk.carol)
        self.lease_view(page, "left-alone")
        held = page.hold("/v1/leases/%s$" % lease["id"])
        page.click("button", "Release left-alone")
        page.until(lambda: held)
        self.view(page, "Queue")
        page.restore()
        page.wait(IDLE)
        self.view(page, "Leases")
        page.absent("dialog")

    def test_a_refusal_is_told(self):
        """Somebody else released it in the meantime, with no-delete."""
        self.desk.create("raced", self.desk.carol)
        page = self.at(token=self.desk.carol)
        page.allow("40[0-9]")
        self.lease_view(page, "raced")
        page.click("button", "Release raced")
        page.find("dialog")
        page.replace("/release$", {"error": "cleanup_in_progress", "message": "Wait, then retry."},
                     409)
        page.click("button", "Release and delete")
        page.wait("() => /Wait, then retry/.test(document.body.innerText)")
        page.restore()
        self.desk.release("raced", self.desk.carol)

    def test_a_refusal_is_told_in_another_view_and_stays(self):
        """The person has gone on before it was known; nobody may believe that it was done."""
        lease = self.desk.create("told-anywhere", self.desk.carol)
        page = self.at(token=self.desk.carol)
        page.allow("4[01][0-9]")
        self.lease_view(page, "told-anywhere")
        page.click("button", "Release told-anywhere")
        page.find("dialog")
        held = page.hold("/v1/leases/%s/release$" % lease["id"])
        page.click("button", "Release and delete")
        page.until(lambda: held)
        self.view(page, "Queue")
        page.replace("/release$", {"error": "busy", "message": "Not now."}, 409)
        page.let_go()
        told = "() => /^Release told-anywhere: Not now/.test(document.querySelector('.alarm')?.innerText)"
        page.wait(told)
        page.restore()
        # The view is read again when something happens.
        reads = len(page.sent("/v1/queue"))
        self.desk.release("told-anywhere", self.desk.carol)
        page.until(lambda: len(page.sent("/v1/queue")) > reads + 1)
        page.wait(told)
        self.view(page, "Leases")
        page.wait("() => !/Not now/.test(document.body.innerText)")

    def test_a_second_press_of_sign_in_is_not_another(self):
        page = self.open()
        held = page.hold("/v1/whoami$")
        page.fill("textbox", "Token", self.desk.carol)
        page.click("button", "Sign in")
        page.until(lambda: held)
        page.click("button", "Sign in")
        page.restore()
        page.find("navigation", "Views")

    def test_a_reader_is_offered_nothing_that_acts(self):
        page = self.at(token=self.desk.broker.reader)
        acts = re.compile("Release|Extend|Delete|Retry|Resolve")
        page.find("link", "web-frontend")
        page.absent("button", acts)
        self.lease_view(page, "web-frontend")
        page.find("region", "Timeline")
        page.absent("button", acts)
        for view in ("Attention", "Accounts", "Queue", "Usage", "Runs"):
            self.view(page, view)
            page.absent("button", acts)
        self.assertEqual({r["method"] for r in page.sent()}, {"GET"})


if __name__ == "__main__":
    unittest.main(verbosity=2)

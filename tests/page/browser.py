# SPDX-License-Identifier: MIT
"""Drives a headless Chromium over the DevTools protocol, with nothing but Python's library.

The protocol goes over a pair of pipes (--remote-debugging-pipe): no port is opened, and Chromium
ends when this program does. Everything happens in one thread: events are taken in while an answer
or a condition is waited for. No name is resolved and no host but 127.0.0.1 is contacted.

A page collects what went wrong in it: errors and warnings of the console, exceptions, violations
of its content security policy. check() raises if there is any that the test did not allow.
"""

import base64
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# In seconds. As in harness.py, a deadline only ends a test that has already failed.
PATIENCE = 60

# Neither the network nor the profile of a person; nothing that differs from run to run.
OPTIONS = (
    "--headless=new", "--hide-scrollbars", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run",
    "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-client-side-phishing-detection", "--disable-default-apps", "--disable-sync",
    "--disable-domain-reliability", "--disable-breakpad", "--disable-extensions",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows", "--metrics-recording-only", "--no-pings",
    "--password-store=basic", "--use-mock-keychain", "--no-proxy-server", "--mute-audio",
    "--force-color-profile=srgb", "--font-render-hinting=none", "--lang=en-US",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

# Counts what changes in a document, so that a condition is tested again when it may have become
# true. It runs before any script of the page.
CHANGES = """(() => {
  const told = new Set();
  const state = {count: 0, next: then => told.add(then)};
  const change = () => {
    state.count++;
    for (const then of [...told]) { told.delete(then); then(); }
  };
  Object.defineProperty(window, '__changes', {value: state});
  new MutationObserver(change).observe(document,
    {subtree: true, childList: true, attributes: true, characterData: true});
  for (const kind of ['input', 'change', 'focusin', 'focusout', 'hashchange', 'popstate', 'load',
                      'scroll', 'resize', 'close', 'toggle'])
    addEventListener(kind, change, true);
})()"""

UNTIL = """new Promise(done => {
  const look = () => {
    let value = null;
    try { value = (%s)(...%s); } catch (error) { value = null; }
    if (value) done(value); else __changes.next(look);
  };
  look();
})"""

# Chromium reads commands from descriptor 3 and writes to 4.
START = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4);" \
        " os.execv(sys.argv[3], sys.argv[3:])"

KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32, "PageUp": 33, "PageDown": 34, "End": 35,
        "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
        "Backspace": 8, "Delete": 46}
KEY_TEXT = {"Enter": "\r", "Space": " "}
MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}


class Refused(Exception):
    """Chromium refused a command."""


class Late(AssertionError):
    """A condition did not come true in time."""


def program():
    """Chromium's path. A browser that is missing is a failure: nothing else tests the page."""
    path = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if not path:
        raise SystemExit("chromium is not installed; on Debian: apt-get install chromium, or set"
                         " CHROMIUM to the program")
    return path


def pipe():
    """A pipe whose ends are not 3 or 4."""
    ends = os.pipe()
    higher = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return higher


class Browser:
    """A running Chromium with a profile of its own in `folder`, removed by close()."""

    def __init__(self, folder, options=(), letters=16):
        """`letters`: the size of text that the user wants, in pixels."""
        os.makedirs(folder, exist_ok=True)
        self.home = tempfile.mkdtemp(prefix="chromium-", dir=folder)
        os.makedirs(self.home + "/profile/Default")
        with open(self.home + "/profile/Default/Preferences", "w", encoding="ascii") as file:
            json.dump({"webkit": {"webprefs": {"default_font_size": letters}}}, file)
        self.data, self.number, self.answers, self.pages = b"", 0, {}, {}
        self.ignored = set()  # numbers of commands whose answers nobody waits for
        their_input, self.input = pipe()
        self.output, their_output = pipe()
        with open(self.home + "/log", "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, str(their_input), str(their_output), program(),
                 *OPTIONS, "--user-data-dir=" + self.home + "/profile", *options, "about:blank"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                pass_fds=(their_input, their_output), start_new_session=True,
                env=dict(os.environ, HOME=self.home, DBUS_SESSION_BUS_ADDRESS="disabled:"))
        os.close(their_input)
        os.close(their_output)
        self.version = self.call("Browser.getVersion")["product"]

    def log(self):
        with open(self.home + "/log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def read(self, end):
        """Handles one message; raises Late after the time `end`."""
        while b"\0" not in self.data:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.output], [], [], left)[0]:
                raise Late("chromium sent nothing")
            more = os.read(self.output, 1 << 20)
            if not more:
                raise RuntimeError("chromium exited:\n" + self.log()[-4000:])
            self.data += more
        text, self.data = self.data.split(b"\0", 1)
        message = json.loads(text)
        if message.get("id") in self.ignored:
            self.ignored.remove(message["id"])
        elif "id" in message:
            self.answers[message["id"]] = message
        elif message.get("sessionId") in self.pages:
            self.pages[message["sessionId"]].event(message["method"], message["params"])

    def send(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode("ascii") + b"\0"
        while data:
            data = data[os.write(self.input, data):]
        return self.number

    def call(self, method, session=None, seconds=PATIENCE, **params):
        number = self.send(method, session, **params)
        end = time.monotonic() + seconds
        try:
            while number not in self.answers:
                self.read(end)
        except Late:
            raise Late("%s has no answer after %d s" % (method, seconds)) from None
        answer = self.answers.pop(number)
        if "error" in answer:
            raise Refused("%s: %s" % (method, answer["error"]["message"]))
        return answer["result"]

    def page(self, **options):
        """A new page, without what other pages have stored."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank",
                           browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, context, **options)

    def close(self):
        if self.process.poll() is None:
            try:
                self.send("Browser.close")
                self.process.wait(PATIENCE)
            except (OSError, subprocess.TimeoutExpired):
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(PATIENCE)
        os.close(self.input)
        os.close(self.output)
        shutil.rmtree(self.home, ignore_errors=True)


class Node:
    """A node of the accessibility tree: what a screen reader is told."""

    def __init__(self, page, raw):
        def text(key):
            return str(raw.get(key, {}).get("value", ""))
        self.page, self.raw = page, raw
        self.role, self.name, self.value = text("role"), text("name"), text("value")
        self.description = text("description")
        self.backend = raw.get("backendDOMNodeId")
        self.is_ignored = raw.get("ignored", False)
        self.properties = {p["name"]: p["value"].get("value") for p in raw.get("properties", [])}

    def __repr__(self):
        return "%s %r" % (self.role, self.name[:80])

    def run(self, function, *values):
        """Runs a function of JavaScript with the node's element as `this`."""
        thing = self.page.call("DOM.resolveNode", backendNodeId=self.backend)["object"]
        done = self.page.call("Runtime.callFunctionOn", objectId=thing["objectId"],
                              functionDeclaration=function, returnByValue=True, awaitPromise=True,
                              arguments=[{"value": value} for value in values])
        self.page.call("Runtime.releaseObject", objectId=thing["objectId"])
        return returned(done)

    def click(self):
        """As a person: scrolls there and clicks into its middle, where nothing may cover it."""
        self.page.call("DOM.scrollIntoViewIfNeeded", backendNodeId=self.backend)
        # The first of its boxes: a link may be broken over two lines.
        quad = self.page.call("DOM.getContentQuads", backendNodeId=self.backend)["quads"][0]
        x, y = sum(quad[0::2]) / 4, sum(quad[1::2]) / 4
        hit = self.run("""function(x, y) {
          const hit = document.elementFromPoint(x, y);
          return hit && (this === hit || this.contains(hit) || hit.contains(this) ||
            [...(this.labels || [])].some(l => l.contains(hit))) ? '' : hit ? hit.outerHTML : 'nothing';
        }""", x, y)
        if hit:
            raise AssertionError("%r is covered by %s" % (self, hit[:200]))
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, clickCount=1,
                           button="none" if kind == "mouseMoved" else "left")

    def focus(self):
        self.page.call("DOM.focus", backendNodeId=self.backend)


def below(whole, top):
    """The ids of a node and of everything in it, in the order of reading."""
    found, left = [], [top]
    while left:
        at = left.pop()
        if at in whole:
            found.append(at)
            left += reversed(whole[at].get("childIds", ()))
    return found


def returned(done):
    if "exceptionDetails" in done:
        details = done["exceptionDetails"]
        raise AssertionError(details.get("exception", {}).get("description", details["text"]))
    return done["result"].get("value")


class Page:
    """A page. `wide` x `high` CSS pixels; a phone's if `is_phone`."""

    def __init__(self, browser, session, context, wide=1280, high=800, is_phone=False):
        self.browser, self.session, self.context = browser, session, context
        self.troubles, self.allowed, self.requests, self.loads = [], [], {}, 0
        self.answers = []
        self.held, self.held_pattern = [], None
        browser.pages[session] = self
        for domain in ("Page", "Runtime", "DOM", "Accessibility", "Network", "Log", "Audits"):
            self.call(domain + ".enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=CHANGES)
        # Without it, whether the page has the focus depends on the order of pages.
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.size(wide, high, is_phone)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def send(self, method, **params):
        """Without waiting for its answer."""
        self.browser.ignored.add(self.browser.send(method, self.session, **params))

    # ---- events -----------------------------------------------------------------------

    def event(self, method, params):
        handler = getattr(self, "on_" + method.replace(".", "_"), None)
        if handler:
            handler(params)

    def trouble(self, kind, text):
        self.troubles.append("%s: %s" % (kind, text))

    def on_Runtime_consoleAPICalled(self, params):
        if params["type"] in ("error", "warning", "assert"):
            said = " ".join(str(a.get("value", a.get("description", ""))) for a in params["args"])
            self.trouble("console " + params["type"], said)

    def on_Runtime_exceptionThrown(self, params):
        details = params["exceptionDetails"]
        self.trouble("exception", details.get("exception", {}).get("description", details["text"]))

    def on_Log_entryAdded(self, params):
        entry = params["entry"]
        if entry["level"] in ("error", "warning"):
            self.trouble("log " + entry["source"],
                         "%s %s" % (entry["text"], entry.get("url", "")))

    def on_Audits_issueAdded(self, params):
        issue = params["issue"]
        if issue["code"] == "ContentSecurityPolicyIssue":
            self.trouble("policy", json.dumps(issue["details"])[:400])

    def on_Network_requestWillBeSent(self, params):
        request = params["request"]
        # After a redirection, the same number again.
        self.requests.setdefault(params["requestId"], []).append(
            {"url": request["url"], "method": request["method"], "type": params.get("type", ""),
             "headers": request["headers"], "status": 0, "bytes": 0, "failed": "",
             "from": params.get("initiator", {}).get("url", "")})

    def on_Network_responseReceived(self, params):
        for request in self.requests.get(params["requestId"], ())[-1:]:
            request.update(status=params["response"]["status"],
                           answered=params["response"]["headers"])

    def on_Network_loadingFinished(self, params):
        for request in self.requests.get(params["requestId"], ())[-1:]:
            request["bytes"] = params["encodedDataLength"]

    def on_Network_loadingFailed(self, params):
        for request in self.requests.get(params["requestId"], ())[-1:]:
            request["failed"] = params["errorText"]

    def on_Page_loadEventFired(self, _):
        self.loads += 1

    # ---- answers that no daemon would give ----------------------------------------------

    def replace(self, pattern, body, status=200, kind="application/json"):
        """From now on requests whose address matches are answered with this instead."""
        self.answers.append((pattern, body, status, kind))
        self.call("Fetch.enable", patterns=[{"urlPattern": "*"}])

    def hold(self, pattern):
        """From now on requests whose address matches wait for `let_go`, or `restore`. Returns their
        list."""
        self.held_pattern = pattern
        self.call("Fetch.enable", patterns=[{"urlPattern": "*"}])
        return self.held

    def let_go(self):
        """Those that are held go on, to what they are replaced by or to the daemon."""
        self.held_pattern = None
        for params in self.held[:]:
            self.on_Fetch_requestPaused(params)
        self.held.clear()

    def restore(self):
        self.answers.clear()
        self.let_go()
        self.call("Fetch.disable")

    def on_Fetch_requestPaused(self, params):
        if self.held_pattern and re.search(self.held_pattern, params["request"]["url"]):
            self.held.append(params)
            return
        for pattern, body, status, kind in self.answers:
            if re.search(pattern, params["request"]["url"]):
                body = body if isinstance(body, bytes) else json.dumps(body).encode("ascii")
                self.send("Fetch.fulfillRequest", requestId=params["requestId"],
                          responseCode=status, body=base64.b64encode(body).decode("ascii"),
                          responseHeaders=[{"name": "Content-Type", "value": kind}])
                return
        self.send("Fetch.continueRequest", requestId=params["requestId"])

    # ---- waiting ----------------------------------------------------------------------

    def until(self, what, seconds=PATIENCE, why="the condition did not come true"):
        """Takes in events until `what()` is true, and returns its value."""
        end = time.monotonic() + seconds
        while True:
            found = what()
            if found:
                return found
            try:
                self.browser.read(end)
            except Late:
                raise self.late(why, seconds) from None

    def late(self, why, seconds):
        why = why() if callable(why) else why
        return Late("%s (waited %d s)\n%s\n%s" % (why, seconds, self.text()[:3000],
                                                  "\n".join(self.troubles)))

    def wait(self, condition, *values, seconds=PATIENCE, why=None):
        """Waits until a function of JavaScript returns something true, and returns it. It is
        called again after each change of the document."""
        end = time.monotonic() + seconds
        script = UNTIL % (condition, json.dumps(values))
        while True:
            try:
                return self.script(script, max(end - time.monotonic(), 0.01))
            except Late:
                raise self.late(why or "not true: " + condition, seconds) from None
            except Refused as e:
                # The document was replaced while it waited.
                if not re.search("context|collected|navigated", str(e)):
                    raise

    def go(self, url):
        """Opens an address and waits until the document and what it includes are loaded."""
        before = self.loads
        done = self.call("Page.navigate", url=url)
        if done.get("errorText"):
            raise AssertionError("%s: %s" % (url, done["errorText"]))
        self.until(lambda: self.loads > before, why="%s did not load" % url)

    def reload(self):
        before = self.loads
        self.call("Page.reload")
        self.until(lambda: self.loads > before, why="the page did not load again")

    # ---- looking ----------------------------------------------------------------------

    def script(self, text, seconds=PATIENCE):
        return returned(self.browser.call("Runtime.evaluate", self.session, seconds,
                                          expression=text, awaitPromise=True, returnByValue=True))

    def run(self, function, *values):
        """Calls a function of JavaScript and returns its value; of a promise, what it becomes."""
        return self.script("(%s)(...%s)" % (function, json.dumps(values)))

    def text(self):
        """What a person can read."""
        return self.run("() => document.body ? document.body.innerText : ''")

    def whole(self):
        """The accessibility tree as Chromium gives it, by the nodes' ids."""
        return {n["nodeId"]: n for n in self.call("Accessibility.getFullAXTree")["nodes"]}

    def tree(self):
        """The nodes of the accessibility tree in the order of reading, without ignored ones."""
        whole = self.whole()
        return [Node(self, whole[at]) for top in whole if "parentId" not in whole[top]
                for at in below(whole, top) if not whole[at].get("ignored")]

    def all(self, role, name=None):
        """The nodes of a role. `name`: exactly, or a compiled pattern."""
        def named(node):
            return name is None or (name.search(node.name) if hasattr(name, "search")
                                    else node.name == name)
        return [n for n in self.tree() if n.role == role and named(n)]

    def find(self, role, name=None, seconds=PATIENCE):
        """Waits for exactly one such node."""
        end = time.monotonic() + seconds
        while True:
            count = self.run("() => __changes.count")
            found = self.all(role, name)
            if len(found) == 1:
                return found[0]
            left = end - time.monotonic()
            try:
                self.wait("count => __changes.count !== count", count, seconds=max(left, 0.01))
            except Late:
                raise self.late("%d nodes are '%s' %r, not one; there are %s" % (
                    len(found), role, name, [n for n in self.tree() if n.role == role]),
                    seconds) from None

    def absent(self, role, name=None):
        found = self.all(role, name)
        if found:
            raise AssertionError("there is %r" % found)

    # ---- acting -----------------------------------------------------------------------

    def click(self, role, name):
        self.find(role, name).click()

    def fill(self, role, name, text):
        """Clicks into a field, selects what is in it and types over it."""
        field = self.find(role, name)
        field.click()
        field.run("function() { if (this.select) this.select(); }")
        self.type(text)

    def press(self, combination):
        """A key, such as Tab, Enter or Shift+Tab."""
        *held, key = combination.split("+")
        bits = sum(MODIFIERS[name] for name in held)
        code = KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
        text = KEY_TEXT.get(key, key if len(key) == 1 and not bits & 7 else "")
        fields = {"key": " " if key == "Space" else key, "modifiers": bits,
                  "windowsVirtualKeyCode": code, "code": key if key in KEYS else "Key" + key.upper()}
        more = {"text": text, "unmodifiedText": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **fields,
                  **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **fields)

    def type(self, text):
        for character in text:
            self.call("Input.dispatchKeyEvent", type="keyDown", text=character, key=character)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=character)

    # ---- appearance -------------------------------------------------------------------

    def size(self, wide, high=800, is_phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=wide, height=high,
                  deviceScaleFactor=1, mobile=is_phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=is_phone)

    def media(self, **features):
        """Such as prefers_color_scheme="dark"."""
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def screenshot(self, path, most=4000):
        """The whole page, at most `most` pixels high, as it looks when it does not move."""
        self.run("() => document.fonts.ready.then(() => true)")
        area = self.call("Page.getLayoutMetrics")["cssContentSize"]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        image = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "width": area["width"], "height": min(area["height"], most), "scale": 1})
        with open(path, "wb") as file:
            file.write(base64.b64decode(image["data"]))

    # ---- judging ----------------------------------------------------------------------

    def sent(self, pattern=""):
        """The requests whose address matches, in the order in which they began."""
        return [r for hops in self.requests.values() for r in hops if re.search(pattern, r["url"])]

    def allow(self, pattern):
        """From now on and before, troubles that match are expected."""
        self.allowed.append(pattern)

    def check(self, origin=None):
        """Raises if anything went wrong, or if anything was requested from elsewhere."""
        wrong = [t for t in self.troubles if not any(re.search(a, t) for a in self.allowed)]
        if origin:
            wrong += ["request to another origin: " + r["url"] for r in self.sent()
                      if not r["url"].startswith((origin + "/", "data:", "about:"))]
        if wrong:
            raise AssertionError("in the page:\n" + "\n".join(wrong))

    def close(self):
        if self.browser.pages.pop(self.session, None):
            self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

"""A page in WebKitGTK, driven line by line.

Reads requests as JSON, one a line: {"load": address} or {"call": body of an async function}. Writes a line for each:
{"value": …} or {"error": …}. A line {"complaint": …} reports an error of the page, when it happens.
"""

import json
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import GLib, Gtk, WebKit2  # noqa: E402

WIDTH, HEIGHT = 1440, 900

REPORT_COMPLAINTS = """
(() => {
  const report = (text) => window.webkit.messageHandlers.complaint.postMessage(String(text));
  addEventListener('error', (event) => report(`script: ${event.message ?? event.target?.src}`), true);
  addEventListener('unhandledrejection', (event) => report(`script: ${event.reason}`));
  document.addEventListener('securitypolicyviolation', (event) =>
    report(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  const { error } = console;
  console.error = (...words) => {
    report(`console: ${words.join(' ')}`);
    error.apply(console, words);
  };
})();
"""


def write(**line):
    print(json.dumps(line), flush=True)


class Driver:
    def __init__(self):
        scripts = WebKit2.UserContentManager()
        scripts.register_script_message_handler("complaint")
        scripts.connect("script-message-received::complaint", self.on_complaint)
        scripts.add_script(
            WebKit2.UserScript(
                REPORT_COMPLAINTS,
                WebKit2.UserContentInjectedFrames.TOP_FRAME,
                WebKit2.UserScriptInjectionTime.START,
                None,
                None,
            )
        )
        # Without a cache and cookies of an earlier run.
        self.view = WebKit2.WebView(
            web_context=WebKit2.WebContext.new_ephemeral(), user_content_manager=scripts
        )
        self.view.connect("load-changed", self.on_load_changed)
        self.view.connect("load-failed", self.on_load_failed)
        self.is_loading = False
        window = Gtk.Window(default_width=WIDTH, default_height=HEIGHT)
        window.add(self.view)
        window.show_all()
        GLib.io_add_watch(
            sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, self.on_request
        )

    def on_request(self, _source, _condition):
        line = sys.stdin.readline()
        if not line:
            Gtk.main_quit()
            return False
        request = json.loads(line)
        if "load" in request:
            self.is_loading = True
            self.view.load_uri(request["load"])
        else:
            self.view.call_async_javascript_function(
                request["call"], -1, None, None, None, None, self.on_called
            )
        return True

    def on_called(self, view, result):
        try:
            value = view.call_async_javascript_function_finish(result)
            write(value=json.loads(value.to_json(0) or "null"))
        except GLib.Error as error:
            write(error=error.message)

    def on_load_changed(self, _view, event):
        if event == WebKit2.LoadEvent.FINISHED and self.is_loading:
            self.is_loading = False
            write(value=None)

    def on_load_failed(self, _view, _event, address, error):
        if self.is_loading:
            self.is_loading = False
            write(error=f"{address}: {error.message}")
        return False

    def on_complaint(self, _scripts, message):
        write(complaint=message.get_js_value().to_string())


Driver()
Gtk.main()

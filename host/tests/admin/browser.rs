//! A real browser without a window, driven through the DevTools protocol.
//!
//! The protocol is JSON over a pair of pipes, each message ended by a NUL. Libraries for it generate
//! types for all of it, which takes longer to compile than the host, and fail on what a newer browser
//! says; here a dozen methods do.

use guests::toolchain::browser;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Gives the browser its pipes as files 3 and 4, where it looks for them.
const PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
/// How long the browser may take for anything.
const LIMIT: Duration = Duration::from_secs(30);

/// Resolves when the expression is true, at the latest change of the document; rejects after a while.
const UNTIL: &str = "new Promise((resolve, reject) => {
    const look = () => {
        let value;
        try { value = (EXPRESSION); } catch (error) { value = false; }
        if (!value) return;
        observer.disconnect();
        resolve(true);
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    document.addEventListener('readystatechange', look);
    setTimeout(() => reject('never so: ' + document.body.innerText), 15000);
    look();
})";

/// A tab of a browser of its own. Both end with it.
pub(crate) struct Tab {
    requests: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    next: u64,
    /// What the browser and the page have complained about.
    complaints: Vec<String>,
    child: Child,
    _profile: TempDir,
}

impl Tab {
    /// None if there is no browser, which it says.
    pub(crate) fn open() -> Option<Self> {
        let program = match browser::find(false) {
            Ok(program) => program,
            Err(error) => {
                eprintln!("SKIPPED: {error}");
                return None;
            }
        };
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", PIPES])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--disable-extensions", "--window-size=1400,1000"])
            // Its sandbox needs more rights than containers have; the only pages are ours.
            .args(["--no-sandbox", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, messages) = channel();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).split(0);
        std::thread::spawn(move || {
            while let Some(Ok(message)) = answers.next() {
                let _ = sender.send(serde_json::from_slice(&message).unwrap());
            }
        });
        let mut tab = Self {
            requests: child.stdin.take().unwrap(),
            messages,
            session: String::new(),
            next: 0,
            complaints: Vec::new(),
            child,
            _profile: profile,
        };
        let target = tab.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = tab.call("Target.attachToTarget", attach);
        session["sessionId"].as_str().unwrap().clone_into(&mut tab.session);
        for domain in ["Page", "Runtime", "Log"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        Some(tab)
    }

    /// Calls a method.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Calls a method, and takes note of what is said meanwhile.
    #[allow(clippy::needless_pass_by_value)] // made where it is passed
    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.next += 1;
        let mut request = json!({"id": self.next, "method": method, "params": params});
        if !self.session.is_empty() {
            request["sessionId"] = self.session.as_str().into();
        }
        self.requests.write_all(format!("{request}\0").as_bytes()).unwrap();
        loop {
            let message = self.messages.recv_timeout(LIMIT);
            let mut message = message.unwrap_or_else(|error| panic!("{method}: {error}"));
            if message["id"] == self.next {
                return match message["error"].take() {
                    Value::Null => Ok(message["result"].take()),
                    error => Err(error),
                };
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => {
                self.complaints.push(params["exceptionDetails"].to_string());
            }
            Some("Runtime.consoleAPICalled") => self.complaints.push(params["args"].to_string()),
            Some("Log.entryAdded") => {
                let entry = &params["entry"];
                self.complaints.push(format!("{}: {}", entry["source"], entry["text"]));
            }
            Some("Page.javascriptDialogOpening") => {
                self.complaints.push(format!("a dialog: {}", params["message"]));
            }
            _ => {}
        }
    }

    /// What the browser and the page have complained about since the last time.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        self.eval("1"); // what was said before it has come by then
        std::mem::take(&mut self.complaints)
    }

    /// Goes to a page, and waits until the expression is true there.
    pub(crate) fn goto(&mut self, url: &str, until: &str) {
        // A page that is about to go has nothing to say.
        self.call("Page.navigate", json!({"url": url}));
        self.until(&format!("document.readyState === 'complete' && ({until})"));
    }

    /// The value of an expression, or what it resolves to.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        self.try_eval(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// An error if the page goes while the expression waits.
    fn try_eval(&mut self, expression: &str) -> Result<Value, Value> {
        let params = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
            "allowUnsafeEvalBlockedByCSP": false
        });
        let mut result = self.try_call("Runtime.evaluate", params)?;
        let exception = &result["exceptionDetails"];
        assert_eq!(*exception, Value::Null, "{expression}");
        Ok(result["result"]["value"].take())
    }

    /// Waits until an expression is true, of this page or of the one that comes after it.
    pub(crate) fn until(&mut self, expression: &str) {
        let until = UNTIL.replace("EXPRESSION", expression);
        let end = Instant::now() + LIMIT;
        while let Err(error) = self.try_eval(&until) {
            assert!(Instant::now() < end, "{expression}: {error}");
        }
    }

    /// What the page shows in the elements of a selector, each as a text.
    pub(crate) fn texts(&mut self, selector: &str) -> Vec<String> {
        let all = format!("[...document.querySelectorAll({selector:?})].map((it) => it.innerText)");
        serde_json::from_value(self.eval(&all)).unwrap()
    }

    /// Clicks, as with a mouse, into the middle of the one element of a selector.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{
                const all = document.querySelectorAll({selector:?});
                if (all.length !== 1) throw `there are ${{all.length}} of them`;
                all[0].scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const box = all[0].getBoundingClientRect();
                return {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }};
            }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": place["x"], "y": place["y"], "button": "left",
                "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Types into what has the focus.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    pub(crate) fn enter(&mut self) {
        let key =
            json!({"type": "keyDown", "key": "Enter", "text": "\r", "windowsVirtualKeyCode": 13});
        self.call("Input.dispatchKeyEvent", key);
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

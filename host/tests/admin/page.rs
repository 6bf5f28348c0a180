//! The page, in a real browser.

use crate::browser::Tab;
use crate::operator::{lock, plugin};
use crate::{Served, TOKEN};
use base64::Engine;
use host::operator::{Command, Declined, Log, Reason};
use serde_json::{Value, json};

const SHOWN: &str = "document.querySelector('#content section')";

/// The page, as it shows the status; nothing if there is no browser.
fn open(served: &Served) -> Option<Tab> {
    let mut tab = Tab::open()?;
    tab.goto(&format!("http://{}/", served.address), SHOWN);
    Some(tab)
}

/// The texts of a table's rows below its heads.
fn rows(tab: &mut Tab, section: &str) -> Vec<String> {
    let rows = tab.texts(&format!("section[aria-label='{section}'] tbody tr"));
    rows.into_iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn answered(tab: &mut Tab, text: &str, kind: &str) {
    tab.until(&format!(
        "document.querySelector('#answer').textContent === {text:?}
            && document.querySelector('#answer').className === {kind:?}
            && !document.querySelector('#answer').hidden"
    ));
}

#[test]
fn it_shows_the_whole_status() {
    let served = Served::open();
    let Some(mut tab) = open(&served) else { return };
    let chain = rows(&mut tab, "Chain");
    let places: Vec<_> = chain.iter().map(|row| row.split(' ').nth(1).unwrap()).collect();
    assert_eq!(places, ["pre", "authenticator", "post", "reverse_proxy", "error_page"]);
    for part in [
        "1 pre pre-plugin 1.2.3",
        "native 1.0.0",
        "000000000000",
        "active",
        "123\u{202f}456",
        "250 ns",
        "1.2 ms",
        "on panic: bypass",
        "5 in 10s, rests 30s",
        "deadline: 2000 ms",
    ] {
        // A narrow space is a space to `split_whitespace`.
        let part = part.replace('\u{202f}', " ");
        assert!(chain[0].contains(&part), "{part:?} is not in {:?}", chain[0]);
    }
    assert!(chain[2].contains("disabled") && chain[2].contains("by an operator"), "{chain:?}");
    assert!(chain[3].contains("built-in reverse_proxy"), "{chain:?}");
    let way = tab.texts(".flow .step");
    let expected = [
        "client",
        "pre-plugin",
        "basic",
        "post-plugin",
        "reverse-proxy-patch",
        "http://127.0.0.1:8081",
    ];
    assert_eq!(way, expected);
    for (section, parts) in [
        ("Generations", &["60 of 64 libraries mapped"][..]),
        ("Last reload", &["refused", "file", "it exports no plugin", "the old one stays in use"]),
        (
            "Shadow: candidate",
            &[
                "compared with pre-plugin 1.2.3 (no. 1)",
                "2.00 %",
                "1 % may",
                "header x-trace-id",
                "GET /a?b",
                "\"1\" / none",
            ],
        ),
        (
            "Event plugins",
            &[
                "17 of 8 192 events wait",
                "lockout",
                "resting",
                "1/2",
                "64.0 MiB",
                "2.0 s",
                "34.0 µs",
            ],
        ),
        ("Store", &["11 tokens, 12 values, 2.0 KiB of 64.0 MiB"]),
        ("Locks", &["tenon-lock-bob", "user=bob", "too many failures", "2036-01-01", "lockout"]),
        ("Not in the chain", &["broken", "refused", "it exports no plugin"]),
        ("Log of plugins", &["03:04:05.678Z", "WARN", "pre-plugin", "a warning of a plugin"]),
    ] {
        let text = tab.texts(&format!("section[aria-label='{section}']")).concat();
        let text = text.replace('\u{202f}', " ");
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }
    let summary = tab.texts("header").concat();
    for part in ["serving", "http://127.0.0.1:9090/prefix", "process 4711", "6 in flight"] {
        assert!(summary.contains(part), "{part:?} is not in {summary:?}");
    }
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

/// Elements stay the same, with focus and place, when what they show changes.
#[test]
fn it_follows_the_host_without_being_drawn_anew() {
    let served = Served::open();
    let Some(mut tab) = open(&served) else { return };
    tab.eval("document.querySelector(\"[aria-label^='Disable pre-plugin']\").focus()");
    tab.eval("window.before = document.activeElement, window.added = 0");
    tab.eval(
        "new MutationObserver((changes) => changes.forEach((it) => it.addedNodes.forEach(
            (node) => { if (node.nodeType === 1) window.added += 1; })))
            .observe(document.querySelector('#content'), { subtree: true, childList: true }), 1",
    );
    served.operator.change(|status| {
        status.plugins[0].calls = 987_654;
        status.plugins[4].state = "draining".to_owned();
    });
    tab.until("document.querySelector('[aria-label=Chain]').innerText.includes('987\\u202f654')");
    assert_eq!(tab.eval("document.activeElement === window.before"), true);
    assert_eq!(tab.eval("window.added"), 0, "nothing but texts has changed");

    // What comes and goes in the middle leaves the rest alone.
    served.operator.change(|status| {
        status.plugins.remove(1);
        status.plugins.insert(0, plugin(99, "pre", "fresh"));
    });
    tab.until("document.querySelector('[aria-label=Chain]').innerText.includes('fresh')");
    let places: Vec<_> = rows(&mut tab, "Chain").iter().map(|row| row[..2].to_owned()).collect();
    assert_eq!(places, ["99", "1 ", "3 ", "4 ", "5 "]);
    assert_eq!(tab.eval("document.activeElement === window.before"), true);
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn its_buttons_tell_the_host_and_dangerous_ones_ask_first() {
    let served = Served::open();
    let Some(mut tab) = open(&served) else { return };
    let mut told = Vec::new();
    tab.click("#controls button:first-child");
    answered(&mut tab, "done as told", "good");
    told.push(Command::Reload);
    assert_eq!(served.operator.told(), told);

    for (button, command) in [
        ("#controls button:nth-of-type(2)", Command::Rollback),
        ("#controls button:last-child", Command::Restart),
        ("[aria-label='Disable pre-plugin (pre)']", Command::Disable { id: 1 }),
        ("[aria-label='Promote candidate']", Command::Promote { id: Some(7), force: false }),
        (
            "[aria-label='Remove the lock tenon-lock-bob']",
            Command::RemoveLock { name: "tenon-lock-bob".to_owned() },
        ),
    ] {
        tab.click(button);
        tab.until("document.querySelector('#confirm').open");
        assert_eq!(
            tab.eval("document.activeElement.value"),
            "no",
            "nothing happens by Enter alone"
        );
        tab.click("#confirm button[value=no]");
        tab.until("!document.querySelector('#confirm').open");
        assert_eq!(served.operator.told(), told, "{button}");

        tab.eval("document.querySelector('#answer').hidden = true");
        tab.click(button);
        tab.until("document.querySelector('#confirm').open");
        tab.click("#confirm-yes");
        answered(&mut tab, "done as told", "good");
        told.push(command);
        assert_eq!(served.operator.told(), told, "{button}");
    }

    tab.click("[aria-label='Promote candidate']");
    tab.until("document.querySelector('#confirm').open");
    tab.click("#confirm-check");
    tab.click("#confirm-yes");
    tab.until("!document.querySelector('[aria-label^=Reload]').disabled");
    tab.click("[aria-label='Enable post-plugin (post)']");
    told.extend([Command::Promote { id: Some(7), force: true }, Command::Enable { id: 3 }]);
    tab.until("!document.querySelector('[aria-label^=Reload]').disabled");
    assert_eq!(tab.complaints(), Vec::<String>::new());

    let message = "it differs too often".to_owned();
    served.operator.answers(Err(Declined { reason: Reason::Conflict, message }));
    tab.click("#controls button:first-child");
    answered(&mut tab, "it differs too often", "bad");
    told.push(Command::Reload);
    assert_eq!(served.operator.told(), told);
    let complaints = tab.complaints();
    assert!(complaints.iter().all(|it| it.contains("409")), "{complaints:?}");
}

#[test]
fn it_asks_for_the_token_and_keeps_it_in_the_tab() {
    let served = Served::closed();
    let Some(mut tab) = Tab::open() else { return };
    let asks = "document.querySelector('#login').open";
    let home = format!("http://{}/", served.address);
    tab.goto(&home, asks);
    assert_eq!(tab.eval(SHOWN), Value::Null);
    tab.click("#login-token");
    tab.write("not the token at all");
    tab.enter();
    tab.until("document.querySelector('#login-text').textContent.includes('not the admin token')");
    tab.until(asks);
    tab.click("#login-token");
    tab.write(TOKEN);
    tab.enter();
    tab.until(SHOWN);
    tab.click("#controls button:first-child");
    answered(&mut tab, "done as told", "good");
    tab.goto(&home, SHOWN);
    assert_eq!(tab.eval("document.querySelector('#login').open"), false);
    assert_eq!(tab.eval("document.cookie + Object.keys(localStorage)"), "");
    let complaints = tab.complaints();
    assert!(complaints.iter().all(|it| it.contains("401")), "{complaints:?}");
}

/// Names, paths, reasons and log lines are others' to choose.
#[test]
fn what_others_have_written_is_text_and_nothing_else() {
    let served = Served::open();
    let evil = "<img src=x onerror=\"window.hacked = 1\">\"'><script>window.hacked = 2</script>";
    served.operator.change(|status| {
        let plugin = &mut status.plugins[0];
        for text in [
            &mut plugin.name,
            &mut plugin.path,
            &mut plugin.version,
            &mut plugin.reason,
            &mut plugin.state,
            &mut plugin.sha256,
            &mut plugin.interface,
            &mut plugin.since,
        ] {
            evil.clone_into(text);
        }
        plugin.offers = vec![evil.to_owned()];
        plugin.replaces = Some(evil.to_owned());
        plugin.policy.breaker = Some(evil.to_owned());
        status.shadows[0].plugin.name = evil.to_owned();
        status.shadows[0].verdict = evil.to_owned();
        status.shadows[0].what[0].0 = evil.to_owned();
        status.shadows[0].differences[0].path = evil.to_owned();
        status.shadows[0].differences[0].what = vec![evil.to_owned()];
        status.event_plugins[0].name = evil.to_owned();
        status.event_plugins[0].reason = evil.to_owned();
        status.last_reload.as_mut().unwrap().message = evil.to_owned();
        status.target = format!("javascript:{evil}");
        status.past[0].reason = evil.to_owned();
        status.log.push(Log {
            time: evil.to_owned(),
            level: evil.to_owned(),
            plugin: evil.to_owned(),
            message: evil.to_owned(),
        });
    });
    *served.operator.locks.lock().unwrap() = vec![lock(evil, evil)];
    let Some(mut tab) = open(&served) else { return };
    let text = tab.texts("body").concat();
    assert!(text.matches("<img src=x onerror=").count() > 20, "{text}");
    assert_eq!(tab.eval("document.querySelectorAll('#content img, #content script').length"), 0);
    let remove = format!("Remove the lock {evil}");
    let find = format!(
        "[...document.querySelectorAll('button')].find(
        (it) => it.getAttribute('aria-label') === {})",
        Value::from(remove)
    );
    tab.eval(&format!("{find}.id = 'evil', 1"));
    tab.click("#evil");
    tab.until("document.querySelector('#confirm').open");
    tab.click("#confirm-yes");
    answered(&mut tab, "done as told", "good");
    assert_eq!(served.operator.told(), [Command::RemoveLock { name: evil.to_owned() }]);
    let message = evil.to_owned();
    served.operator.answers(Err(Declined { reason: Reason::Failed, message }));
    tab.click("#controls button:first-child");
    tab.until("document.querySelector('#answer').className === 'bad'");
    assert_eq!(tab.eval("window.hacked"), Value::Null);
    let complaints = tab.complaints();
    assert!(complaints.iter().all(|it| it.contains("500")), "{complaints:?}");
}

#[test]
fn its_policy_runs_nothing_that_is_not_the_pages_own() {
    let served = Served::open();
    let Some(mut tab) = open(&served) else { return };
    for attempt in [
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.hacked=1>')",
        "document.body.append(Object.assign(document.createElement('script'), {text: 'hacked = 1'}))",
        "eval('window.hacked = 1')",
    ] {
        let caught = format!(
            "(() => {{ try {{ {attempt}; return 'done'; }} catch (error) {{ return error.name; }} }})()"
        );
        let result = tab.eval(&caught);
        assert!(result == "TypeError" || result == "EvalError", "{attempt}: {result}");
    }
    tab.eval(
        "document.body.append(Object.assign(document.createElement('img'), {src: '/healthz'})), 1",
    );
    tab.eval("fetch('http://127.0.0.1:1/').catch(() => 1)");
    assert_eq!(tab.eval("window.hacked"), Value::Null);
    let complaints = tab.complaints();
    for what in ["img-src", "connect-src", "TrustedHTML", "TrustedScript"] {
        assert!(complaints.iter().any(|it| it.contains(what)), "{what}: {complaints:?}");
    }
}

/// A page of another origin in the operator's browser, on the same machine, which tries what it can.
#[test]
fn another_page_in_the_same_browser_can_do_nothing() {
    let served = Served::open();
    let Some(mut tab) = Tab::open() else { return };
    let admin = format!("http://{}", served.address);
    let evil = fixtures::Upstream::echo();
    tab.goto(&evil.url(), "true");
    let attempts = [
        json!({"method": "POST", "mode": "no-cors", "body": "{}"}),
        json!({"method": "POST", "mode": "no-cors", "headers": {"Content-Type": "text/plain"}, "body": "{}"}),
        json!({"method": "POST", "body": "{}", "headers": {"Content-Type": "application/json"}}),
        json!({"method": "POST", "body": "{}", "headers": {"Content-Type": "application/json", "X-Tenon-Admin": "1"}}),
    ];
    for attempt in attempts {
        let result = tab.eval(&format!(
            "fetch('{admin}/api/reload', {attempt}).then((it) => it.type, () => 'failed')"
        ));
        assert!(result == "failed" || result == "opaque", "{attempt}: {result}");
    }
    let removal = format!(
        "fetch('{admin}/api/locks/tenon-lock-bob', {{method: 'DELETE'}}).then(() => 'done', () => 'failed')"
    );
    assert_eq!(tab.eval(&removal), "failed");
    let reading = format!("fetch('{admin}/api/status').then((it) => it.text(), () => 'failed')");
    assert_eq!(tab.eval(&reading), "failed");
    // A form needs no permission; it goes to a page that says why not.
    tab.eval(&format!(
        "(() => {{
            const form = Object.assign(document.createElement('form'), {{
                method: 'post', enctype: 'text/plain', action: '{admin}/api/reload' }});
            document.body.append(form);
            form.submit();
        }})()"
    ));
    tab.until(
        "location.pathname === '/api/reload' && document.body.innerText.includes('another site')",
    );
    assert_eq!(served.operator.told(), []);
}

/// Not a test but a look: `TENON_SCREENSHOT=FILE.png cargo test --test admin -- --ignored picture`.
#[test]
#[ignore = "writes a picture for people"]
fn picture() {
    let served = Served::open();
    let (Some(mut tab), Ok(file)) = (open(&served), std::env::var("TENON_SCREENSHOT")) else {
        return;
    };
    for (scheme, name) in [("light", file.clone()), ("dark", file.replace(".png", "-dark.png"))] {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        tab.call("Emulation.setEmulatedMedia", json!({"features": features}));
        let picture = tab.call("Page.captureScreenshot", json!({"captureBeyondViewport": true}));
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap());
        std::fs::write(name, bytes.unwrap()).unwrap();
    }
}

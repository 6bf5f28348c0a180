// The admin page: shows /api/status and /api/locks, and sends what the operator says.
//
// Elements are described, then laid over those that are there: what has not changed stays untouched,
// so nothing flickers, loses the focus or scrolls. Whatever the host says becomes text nodes and
// attributes, never HTML; the page's policy (trusted types) forbids anything else.
"use strict";

const INTERVAL = 2000;
// A host that does not answer in this time is said not to.
const PATIENCE = 10000;
const TOKEN = "tenon-admin-token";

const byId = (id) => document.getElementById(id);

// ---- elements ----------------------------------------------------------------------------------

// Describes an element: its tag with classes ("td.number"), attributes and events, and children.
function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const given = { ...props };
  if (classes.length > 0) given.class = [...classes, given.class ?? ""].join(" ").trim();
  const kept = children.flat(Infinity).filter((it) => it !== null && it !== undefined && it !== false);
  return { name, props: given, children: kept };
}

function create(node) {
  if (typeof node !== "object") return document.createTextNode(String(node));
  const element = document.createElement(node.name);
  patchElement(element, node);
  return element;
}

function patchElement(element, { props, children }) {
  for (const { name } of [...element.attributes]) {
    if (!(name in props)) element.removeAttribute(name);
  }
  element.handlers ??= {};
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) {
      const event = name.slice(2);
      // One listener for ever, whose meaning changes.
      if (!(event in element.handlers)) {
        element.addEventListener(event, (it) => element.handlers[event]?.(it));
      }
      element.handlers[event] = value;
    } else if (value === false || value === null || value === undefined) {
      element.removeAttribute(name);
    } else if (element.getAttribute(name) !== String(value)) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  patchChildren(element, children);
}

function fits(there, node) {
  if (typeof node !== "object") return there.nodeType === Node.TEXT_NODE;
  return there.nodeName === node.name.toUpperCase()
    && (there.getAttribute("data-key") ?? "") === String(node.props["data-key"] ?? "");
}

function patchChildren(element, children) {
  let there = element.firstChild;
  for (const node of children) {
    // What is no more comes out, what comes later is found where it is.
    let match = there;
    while (match && !fits(match, node)) match = match.nextSibling;
    if (!match) {
      element.insertBefore(create(node), there);
      continue;
    }
    while (there !== match) {
      const gone = there;
      there = there.nextSibling;
      gone.remove();
    }
    if (typeof node === "object") patchElement(match, node);
    else if (match.data !== String(node)) match.data = String(node);
    there = match.nextSibling;
  }
  while (there) {
    const gone = there;
    there = there.nextSibling;
    gone.remove();
  }
}

const show = (id, ...children) => patchChildren(byId(id), h("div", null, ...children).children);

// ---- the API -----------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  const signal = options.patient ? undefined : AbortSignal.timeout(PATIENCE);
  const response = await fetch(path, { ...options, headers, signal, cache: "no-store", credentials: "omit" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.error ?? `status ${response.status}`);
  return answer;
}

function tell(method, path, body) {
  const headers = { "Content-Type": "application/json", "X-Tenon-Admin": "1" };
  return ask(path, { method, headers, body: JSON.stringify(body ?? {}), patient: true });
}

// ---- what the operator says --------------------------------------------------------------------

let busy = false;

async function act(method, path, body, confirmation) {
  if (busy) return;
  let more = {};
  if (confirmation) {
    const agreed = await confirmed(confirmation);
    if (!agreed) return;
    more = agreed;
  }
  busy = true;
  render();
  let answer;
  try {
    const done = await tell(method, path, { ...body, ...more });
    answer = ["good", done.message];
  } catch (error) {
    if (error.status === 401) logIn(error.message);
    answer = ["bad", error instanceof Refused ? error.message : "The host does not answer; whether it was done is not known."];
  }
  busy = false;
  render();
  say(...answer);
  await refresh();
}

// Asks in a dialog; resolves to what was chosen, or to nothing.
function confirmed({ title, text, yes, option }) {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = yes;
  const check = byId("confirm-check");
  check.checked = false;
  byId("confirm-option").hidden = !option;
  byId("confirm-option").querySelector("span").textContent = option?.label ?? "";
  dialog.showModal();
  return new Promise((resolve) => {
    // Not at "close": that comes late, perhaps when the next question is open already.
    const listening = new AbortController();
    const choose = (answer) => {
      listening.abort();
      const chosen = option ? { [option.name]: check.checked } : {};
      resolve(answer === "yes" ? chosen : undefined);
    };
    const { signal } = listening;
    dialog.addEventListener("submit", (event) => choose(event.submitter?.value), { signal });
    dialog.addEventListener("cancel", () => choose("no"), { signal });
  });
}

function say(kind, text) {
  const answer = byId("answer");
  answer.className = kind;
  answer.textContent = text;
  answer.hidden = false;
}

function logIn(why) {
  const dialog = byId("login");
  if (dialog.open) return;
  byId("login-text").textContent = sessionStorage.getItem(TOKEN)
    ? `The host does not take the token: ${why}.`
    : "This host asks for its admin token. It is kept in this tab until the tab is closed.";
  byId("login-token").value = "";
  dialog.showModal();
}

byId("login").addEventListener("close", () => {
  const token = byId("login-token").value.trim();
  // Without a token the page has nothing to show, so it asks again.
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
  byId("login-token").value = "";
  refresh();
});

// ---- how things are written --------------------------------------------------------------------

const count = (number) => Number(number).toLocaleString("en").replaceAll(",", "\u202f");

function time(microseconds) {
  if (microseconds === null || microseconds === undefined) return "–";
  if (microseconds < 1) return `${Math.round(microseconds * 1000)} ns`;
  if (microseconds < 1000) return `${microseconds.toFixed(1)} µs`;
  if (microseconds < 1e6) return `${(microseconds / 1000).toFixed(1)} ms`;
  return `${(microseconds / 1e6).toFixed(1)} s`;
}

function bytes(number) {
  if (number < 1024) return `${number} B`;
  if (number < 1 << 20) return `${(number / 1024).toFixed(1)} KiB`;
  return `${(number / (1 << 20)).toFixed(1)} MiB`;
}

function age(date) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(date)) / 1000));
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

const since = (date) => h("time", { datetime: date, title: date }, age(date));
const hash = (text) => text ? h("code", { title: text }, text.slice(0, 12)) : "–";
const share = (part, whole) => whole > 0 ? `${(100 * part / whole).toFixed(2)} %` : "–";

const GOOD = ["active", "serving", "ready", "INFO"];
const BAD = ["refused", "disabled", "ERROR"];
const WARN = ["draining", "resting", "shadow", "starting", "loading", "WARN"];

function kind(state) {
  if (GOOD.includes(state)) return "good";
  if (BAD.includes(state)) return "bad";
  return WARN.includes(state) ? "warn" : "soft";
}

const badge = (state) => h("span.badge", { class: kind(state) }, state);

function state(plugin) {
  const reason = plugin.reason ? h("div.small.lines", null, plugin.reason) : null;
  const when = plugin.since ? [" ", h("span.soft.small", null, since(plugin.since))] : null;
  return [badge(plugin.state), when, reason];
}

function button(label, describe, onclick, more = {}) {
  return h("button", { type: "button", "aria-label": describe, disabled: busy, onclick, ...more }, label);
}

// A table with a caption for those who cannot see it, in a box that scrolls by itself.
function table(caption, heads, rows, more = {}) {
  const head = heads.map((it) => typeof it === "string" ? h("th", { scope: "col" }, it) : it);
  return h("div.scroll", { tabindex: 0, role: "region", "aria-label": caption, ...more },
    h("table", null, h("thead", null, h("tr", null, head)), h("tbody", null, rows)));
}

const numbers = (...heads) => heads.map((it) => h("th.number", { scope: "col" }, it));
const cells = (...values) => values.map((it) => h("td.number", null, it));
const hidden = (text) => h("th", { scope: "col", "aria-label": text });
const card = (title, ...children) => h("section", { "data-key": title, "aria-label": title }, h("h2", null, title), children);

// ---- the sections ------------------------------------------------------------------------------

function summary(it) {
  return [
    badge(it.phase),
    h("span", null, h("code", null, it.listening + (it.prefix === "/" ? "" : it.prefix)), " → ", h("code", null, it.target)),
    h("span.soft", null, `host ${it.version}, interface ${it.interface}, process ${it.pid}, up `, since(it.started)),
    h("span.soft", null, `${count(it.traffic.requests)} requests, ${count(it.traffic.failed)} failed, `,
      `${count(it.traffic.in_flight)} in flight on ${count(it.traffic.connections)} connections`),
  ];
}

function controls(it) {
  return [
    button("Reload", "Reload the configuration and the plugins that have changed", () => act("POST", "api/reload")),
    button("Roll back", "Bring the last set of plugins back", () => act("POST", "api/rollback", {}, {
      title: "Roll back?",
      text: "New requests take the chain that was in use before this one. What was put in since stays out until its file changes.",
      yes: "Roll back",
    }), { disabled: busy || !it.chain.can_roll_back, class: "danger" }),
    button("Restart", "Let another process take over, which loads everything anew", () => act("POST", "api/restart", {}, {
      title: "Restart?",
      text: "Another process loads everything anew and takes over. No connection is dropped; if it cannot, this one goes on.",
      yes: "Restart",
    }), { disabled: busy, class: "danger" }),
  ];
}

function flow(it) {
  // The error page is nowhere on the way.
  const way = it.plugins.filter((plugin) => plugin.place !== "error_page");
  const step = (plugin) => h("li", { "data-key": plugin.id },
    h("span.step", { class: plugin.state === "disabled" ? "off" : plugin.kind, title: `${plugin.place}: ${plugin.state}` }, plugin.name));
  return h("ol.flow", { "aria-label": "The way of a request" },
    h("li", { "data-key": "client" }, h("span.step.end", null, "client")),
    way.map(step),
    h("li", { "data-key": "upstream" }, h("span.step.end", null, it.target)));
}

function policy({ on_panic, breaker, deadline_ms, slow_ms }) {
  return [
    on_panic && `on panic: ${on_panic}`,
    breaker && `breaker: ${breaker}`,
    deadline_ms !== null && `deadline: ${deadline_ms} ms`,
    slow_ms !== null && `slow: ${slow_ms} ms`,
  ].filter(Boolean).join(", ");
}

function about(plugin) {
  const details = [plugin.path && h("div.soft.small.path", { title: plugin.compiler }, plugin.path)];
  if (plugin.offers.length > 0 && plugin.kind !== "builtin") details.push(h("div.soft.small", null, plugin.offers.join(", ")));
  const rules = plugin.kind === "builtin" ? "" : policy(plugin.policy);
  if (rules) details.push(h("div.soft.small", null, rules));
  return [plugin.name, " ", h("span.soft", null, plugin.version), details];
}

// What follows when a plugin is not called. Without whoever can tell who a client is, nobody is let in.
function without(plugin) {
  if (plugin.replaces === "authenticator") {
    return "The built-in authentication asks in its place, if this host has a user for it. If not, requests are answered with 503, unless a PRE plugin can tell who the client is.";
  }
  if (plugin.replaces) return `Requests go on with the built-in ${plugin.replaces} in its place.`;
  if (plugin.offers.some((it) => it.startsWith("authenticator "))) {
    return "Nobody is let in by it any more. If nothing else can tell who a client is, requests are answered with 503.";
  }
  return "Requests go on without it: what it would have stopped or changed passes.";
}

function toggle(plugin) {
  const what = `${plugin.name} (${plugin.place})`;
  if (plugin.kind === "builtin") return null;
  if (plugin.state === "disabled") {
    return button("Enable", `Enable ${what}`, () => act("POST", `api/plugins/${plugin.id}/enable`));
  }
  return button("Disable", `Disable ${what}`, () => act("POST", `api/plugins/${plugin.id}/disable`, {}, {
    title: `Disable ${plugin.name}?`,
    text: without(plugin),
    yes: "Disable",
  }), { class: "danger" });
}

function row(plugin) {
  return h("tr", { "data-key": plugin.id },
    h("td.number", null, plugin.id),
    h("td", null, plugin.place),
    h("th.name", { scope: "row" }, about(plugin)),
    h("td", null, plugin.replaces ? `built-in ${plugin.replaces}` : "–"),
    h("td", null, plugin.kind === "builtin" ? "built in" : [plugin.kind, " ", h("span.soft", null, plugin.interface)]),
    h("td", null, hash(plugin.sha256)),
    h("td", null, state(plugin)),
    cells(count(plugin.calls), count(plugin.errors), count(plugin.panics), count(plugin.slow), count(plugin.not_called)),
    cells(time(plugin.p50_us), time(plugin.p99_us)),
    h("td", null, toggle(plugin)));
}

function chain(it) {
  const heads = [numbers("No."), "Place", "Plugin", "In place of", "Interface", "SHA-256", "State",
    numbers("Calls", "Errors", "Panics", "Slow", "Not called", "p50", "p99"), hidden("Actions")].flat();
  return card("Chain",
    h("p.soft", null, `No. ${it.chain.number}, in use for `, since(it.chain.since), ". The times are a plugin's own, a call."),
    flow(it), table("The chain that new requests take", heads, it.plugins.map(row)));
}

function generations({ mapped, budget }) {
  const near = mapped >= 0.8 * budget;
  return card("Generations",
    h("p", { class: near ? "warn" : "" }, `${mapped} of ${budget} libraries mapped`,
      mapped >= budget ? ": native plugins are not reloaded until the host is started again" : ""),
    h("meter", { min: 0, max: budget, high: 0.8 * budget, optimum: 0, value: mapped, "aria-label": "Generations mapped" }),
    h("p.soft.small", null, "Native code stays mapped: each version that was loaded counts until the host ends."));
}

function lastReload(reload, notes) {
  const list = notes.length > 0 && h("ul.warn", { "aria-label": "Not as it was asked for" }, notes.map((note) => h("li", null, note)));
  if (!reload) return card("Last reload", h("p.soft", null, "Nothing was reloaded since the start."), list);
  const { succeeded, trigger, message } = reload;
  return card("Last reload",
    h("p", null, h("span.badge", { class: succeeded ? "good" : "bad" }, succeeded ? "in use" : "refused"),
      ` ${trigger}, `, since(reload.time), " ago"),
    h("p.lines", null, message), list);
}

function shadow(it, plugins) {
  const { plugin } = it;
  const other = plugins.find((one) => one.id === it.compared_with);
  const beside = other ? `${other.name} ${other.version} (no. ${other.id})` : "nothing";
  const title = `Shadow: ${plugin.name}`;
  return h("section", { "data-key": `shadow-${plugin.id}`, "aria-label": title },
    h("h2", null, title, " ", h("span.soft", null, plugin.version)),
    h("p", null, `${plugin.place}, compared with ${beside}. `, hash(plugin.sha256), " ", plugin.path && h("span.soft.small", null, plugin.path)),
    h("p", null, `${count(it.requests)} requests, ${count(it.differed)} differed (${share(it.differed, it.requests)}), `,
      `${count(it.skipped)} skipped, ${count(it.not_comparable)} not comparable. `,
      h("span.soft", null, `Promoted from ${count(it.least)} requests on, up to ${(100 * it.limit).toFixed(2)} % differing.`)),
    h("p", null, h("strong", null, it.verdict)),
    button("Promote", `Promote ${plugin.name}`, () => act("POST", "api/promote", { id: plugin.id }, {
      title: `Promote ${plugin.name}?`,
      text: `New requests get the candidate's decisions in place of those of ${beside}. Roll back brings the old set back.`,
      yes: "Promote",
      option: { name: "force", label: "also if it was compared too seldom, or on fewer requests than could not be compared, differed too often, or a call of it hangs" },
    }), { class: "danger" }),
    it.what.length > 0 && [h("h3", null, "What differed"),
      table(`What differed in the shadow ${plugin.name}`, ["What", numbers("Requests")].flat(),
        it.what.map(([what, times]) => h("tr", { "data-key": what }, h("td", null, what), cells(count(times)))))],
    it.differences.length > 0 && [h("h3", null, "On which requests"),
      table(`The last requests on which the shadow ${plugin.name} differed`, ["When", "Request", "What (in use / candidate)"],
        it.differences.map((one) => h("tr", null, h("td", null, since(one.time)), h("td.mono", null, `${one.method} ${one.path}`),
          h("td.mono", null, one.what.map((what) => h("div", null, what))))))]);
}

function eventPlugins({ event_plugins, queue }) {
  if (event_plugins.length === 0 && !queue) return null;
  const heads = ["Plugin", "SHA-256", "State", "On error", numbers("Busy", "Discarded", "Timeout", "Memory",
    "Kept", "Changed", "Skipped", "Failed", "p50", "p99")].flat();
  const rows = event_plugins.map((it) => h("tr", { "data-key": it.id },
    h("th.name", { scope: "row" }, it.name, h("div.soft.small.path", null, it.path)),
    h("td", null, hash(it.sha256)),
    h("td", null, state(it)),
    h("td", null, it.on_error),
    cells(`${it.pool.busy}/${it.pool.instances}`, count(it.pool.discarded), time(1000 * it.pool.timeout_ms), bytes(it.pool.memory)),
    cells(count(it.kept), count(it.changed), count(it.skipped), count(it.failed), time(it.p50_us), time(it.p99_us))));
  return card("Event plugins",
    queue && h("p", { class: queue.waiting > 0.75 * queue.room ? "warn" : "soft" }, `${count(queue.waiting)} of ${count(queue.room)} events wait.`),
    rows.length > 0 && table("Event plugins and their pools", heads, rows));
}

function store({ store: it, locks }, list) {
  if (!it) return null;
  const rows = list.map((lock) => h("tr", { "data-key": lock.name },
    h("th.name", { scope: "row" }, lock.name),
    h("td", null, Object.entries(lock.target).map(([field, value]) => `${field}=${value}`).join(" ")),
    h("td", null, lock.message),
    h("td", null, lock.expires ? h("time", { datetime: lock.expires }, lock.expires) : "never"),
    h("td", null, lock.created_by),
    h("td", null, button("Remove", `Remove the lock ${lock.name}`,
      () => act("DELETE", `api/locks/${encodeURIComponent(lock.name)}`, {}, {
        title: "Remove the lock?",
        text: `${lock.name}: whom it holds can log in again at once.`,
        yes: "Remove",
      }), { class: "danger" }))));
  return h("div.pair", { "data-key": "store" },
    card("Store",
      h("p", null, `${count(it.tokens)} tokens, ${count(it.values)} values, ${bytes(it.bytes)} of ${bytes(it.limit)}`),
      h("meter", { min: 0, max: it.limit, high: 0.8 * it.limit, optimum: 0, value: it.bytes, "aria-label": "Store in use" })),
    card("Locks",
      rows.length > 0
        ? table("Locks in force", ["Name", "Who", "Why", "Until", "By", hidden("Actions")], rows)
        : h("p.soft", null, locks > 0 ? `${locks}` : "Nobody is locked.")));
}

function past(list) {
  if (list.length === 0) return null;
  const rows = list.map((plugin) => h("tr", { "data-key": plugin.id },
    h("td.number", null, plugin.id),
    h("td", null, plugin.place),
    h("th.name", { scope: "row" }, about(plugin)),
    h("td", null, hash(plugin.sha256)),
    h("td", null, state(plugin)),
    cells(count(plugin.calls))));
  return card("Not in the chain",
    table("Plugins that new requests do not pass", [numbers("No."), "Place", "Plugin", "SHA-256", "State", numbers("Calls")].flat(), rows));
}

function log(lines) {
  if (lines.length === 0) return card("Log of plugins", h("p.soft", null, "No plugin has logged anything yet."));
  // The newest is seen without scrolling.
  const rows = [...lines].reverse().map((line) => h("tr", null,
    h("td", null, h("time", { datetime: line.time }, line.time.replace(/^.*T/, ""))),
    h("td", { class: kind(line.level) }, line.level), h("td", null, line.plugin), h("td", null, line.message)));
  return card("Log of plugins", table("The last log lines of plugins", ["Time", "Level", "Plugin", "Message"], rows, { class: "log" }));
}

// ---- the whole ---------------------------------------------------------------------------------

let status = null;
let locks = [];

function render() {
  if (!status) return;
  document.title = `Tenon: ${status.phase}`;
  show("summary", summary(status));
  show("controls", controls(status));
  show("content",
    chain(status),
    status.shadows.map((it) => shadow(it, status.plugins)),
    h("div.pair", { "data-key": "reload" }, lastReload(status.last_reload, status.notes), generations(status.generations)),
    eventPlugins(status),
    store(status, locks),
    past(status.past),
    log(status.log));
}

let timer;

async function refresh() {
  clearTimeout(timer);
  const freshness = byId("freshness");
  try {
    [status, locks] = await Promise.all([ask("api/status"), ask("api/locks")]);
    render();
    freshness.textContent = `As of ${new Date().toLocaleTimeString()}.`;
    freshness.className = "";
  } catch (error) {
    if (error.status === 401) {
      logIn(error.message);
      return;
    }
    freshness.textContent = error instanceof Refused ? `The host says: ${error.message}.` : "The host does not answer; what is shown is old.";
    freshness.className = "bad";
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, INTERVAL);
}

// A page that nobody sees asks for nothing, and is fresh when it is seen again.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else refresh();
});
refresh();

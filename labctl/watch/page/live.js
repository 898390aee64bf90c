// A lab as it changes. The server sends panels (see labctl/watch/server.py), and each again when it has changed. Texts
// come from the lab, where anyone may name a pod: they are always set as text, never as HTML.

export const $ = (id) => document.getElementById(id);

export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function setText(node, text) {
  // A live region is read out when it is written to, so only what is new is written.
  if (node.textContent !== text) node.textContent = text;
}

const PAGE = document.title;
const MARKS = { ok: "✓", broken: "✗", checking: "…" };

function showVerdict(verdict) {
  $("verdict").dataset.state = verdict.state;
  setText($("mark"), MARKS[verdict.state]);
  setText($("headline"), verdict.title);
  setText($("failed"), verdict.check ? `${verdict.check} ${verdict.failed}` : "");
  const others = verdict.others.join("\n");
  if ($("others").dataset.text !== others) {
    $("others").dataset.text = others;
    $("others").replaceChildren(...verdict.others.map((text) => element("li", text)));
  }
  setText($("counts"), verdict.checking && verdict.counts ? `checking again … (${verdict.counts})` : verdict.counts);
  $("hint").hidden = !verdict.hint;
  setText($("hint").querySelector("code"), verdict.hint);
  document.title = `${MARKS[verdict.state]} ${verdict.title} - ${PAGE}`;
}

function showPicture(panel) {
  const drawn = new DOMParser().parseFromString(panel.svg, "image/svg+xml").documentElement;
  $("picture").replaceChildren(document.importNode(drawn, true));
}

const shown = new Map(); // by table: the rows as they were, by their first cells

function showTables(tables) {
  $("tables").classList.toggle("many", tables.reduce((sum, table) => sum + table.rows.length, 0) > 18);
  for (const table of tables) {
    const place = $(`table-${table.name}`) ?? newTable(table);
    const text = JSON.stringify(table);
    if (place.dataset.text === text) continue;
    place.dataset.text = text;
    const head = element("tr");
    head.append(...table.headings.map((heading) => headCell(heading)));
    place.querySelector("thead").replaceChildren(head);
    const before = shown.get(table.name);
    place.querySelector("tbody").replaceChildren(...table.rows.map((row) => tableRow(row, before)));
    shown.set(table.name, new Map(table.rows.map((row) => [keyOf(row), row])));
    place.querySelector("table").hidden = !table.rows.length;
    const empty = place.querySelector(".empty");
    empty.hidden = Boolean(table.rows.length);
    empty.textContent = table.empty;
  }
}

const keyOf = (row) => `${row[0].text} ${row[1].text}`;

function newTable(table) {
  const place = element("section", "", "table");
  place.id = `table-${table.name}`;
  const title = element("h2", table.title);
  title.id = `title-${table.name}`;
  const scroll = element("div", "", "scroll");
  const grid = element("table");
  grid.setAttribute("aria-labelledby", title.id);
  grid.append(element("thead"), element("tbody"));
  scroll.append(grid, element("p", "", "empty"));
  place.append(title, scroll);
  $("tables").append(place);
  return place;
}

function headCell(heading) {
  const cell = element("th", heading, ["requests", "routes"].includes(heading) ? "number" : "");
  cell.scope = "col";
  return cell;
}

function tableRow(row, before) {
  const old = before?.get(keyOf(row));
  const made = element("tr");
  row.forEach((cell, index) => {
    const drawn = element("td", cell.text, cell.style);
    if (before && old?.[index]?.text !== cell.text) drawn.classList.add("changed");
    made.append(drawn);
  });
  return made;
}

let newest = "";

function showEvents(events) {
  const list = document.querySelector("#events ol");
  // Only what is new is added, so that a screen reader reads only that.
  const known = events.findIndex((event) => JSON.stringify(event) === newest);
  const fresh = known < 0 ? events : events.slice(0, known);
  if (known < 0) list.replaceChildren();
  list.prepend(...fresh.map(eventItem));
  while (list.children.length > events.length) list.lastChild.remove();
  if (events.length) newest = JSON.stringify(events[0]);
}

function eventItem(event) {
  const item = element("li");
  item.append(element("time", event.when), element("span", event.text, event.style));
  item.classList.add("changed");
  return item;
}

export const LAB_PANELS = { verdict: showVerdict, picture: showPicture, tables: showTables, events: showEvents };

export function forgetLab() {
  // Another lab is shown from now on.
  shown.clear();
  newest = "";
  for (const id of ["picture", "tables"]) $(id).replaceChildren();
  document.querySelector("#events ol").replaceChildren();
}

export function follow(address, panels, onGone = () => {}) {
  // Shows what the server sends there; returns a function that ends this.
  let source, ended = false;
  const start = () => {
    if (ended) return;
    source = new EventSource(address);
    for (const [name, show] of Object.entries(panels)) {
      source.addEventListener(name, (event) => show(JSON.parse(event.data)));
    }
    source.addEventListener("open", () => { $("gone").hidden = true; });
    source.addEventListener("error", () => {
      if (ended) return;
      $("gone").hidden = false;
      onGone();
      // A browser gives up when the server answers with an error, but the server may be started again at any time.
      if (source.readyState === EventSource.CLOSED) setTimeout(start, 2000);
    });
  };
  start();
  return () => { ended = true; source.close(); };
}

function isDark() {
  return (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

function useTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  $("theme").textContent = isDark() ? "Light" : "Dark";
  dispatchEvent(new Event("themechange"));
  $("theme").setAttribute("aria-label", `Show the page ${isDark() ? "light" : "dark"}`);
}

useTheme(localStorage.getItem("theme"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => useTheme());
$("theme").addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  localStorage.setItem("theme", theme);
  useTheme(theme);
});
